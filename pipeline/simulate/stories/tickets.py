"""Tickets: a customer asks, agents answer in the help desk's hours, ask back, hand on, and sometimes never answer."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.core.instants import DAY, MINUTE, SECOND, moment
from pipeline.core.messages import Micros
from pipeline.simulate.clocks import Act, Word
from pipeline.simulate.company import (
    FIRST_RESPONSE,
    FIRST_RESPONSE_WITHIN,
    HELP_DESK,
    HOUR,
    MOST_TRANSFERS,
    TOPICS,
    TRANSFERS,
    URGENT_RESOLUTION,
    URGENT_RESOLUTION_WITHIN,
    WAITING_FOR_AGENT,
    WAITING_FOR_AGENT_LIMIT,
)
from pipeline.simulate.episode import Data, Episode, Identities
from pipeline.simulate.figures import Said, Saying
from pipeline.simulate.plans import Journey


@dataclass(slots=True)
class _Talk:
    """What has been said so far: `words` to the clocks, and since when the customer waited until which reply, if any."""

    number: Identities
    words: list[Word] = field(default_factory=list)
    waits: list[tuple[Micros, Micros | None]] = field(default_factory=list)
    first: Micros | None = None
    resolved: Micros | None = None
    withdrawn: Micros | None = None

    def say(self, ep: Episode, time: Micros, act: Act, type_: str, data: Data) -> Micros:
        self.words.append(Word(time, act))
        return ep.tell(time, type_, self.number, data)


def ticket(ep: Episode, opener: Identities, time: Micros) -> None:
    """A ticket goes back and forth; a chat knows only its ticket until an agent finds out who it is."""
    number = {"ticket_id": ep.name("T")}
    journey = ("ticket", number["ticket_id"])
    urgent = ep.chance(0.2)
    data: Data = {"topic": ep.pick(TOPICS), "priority": "urgent" if urgent else "normal"}
    reported = time
    if urgent and ep.chance(0.4):
        # said in a shop before the ticket was opened: what is urgent is so since then
        reported = time - ep.between(HOUR, 30 * HOUR)
        data["reported_at"] = moment(reported)
    opened = ep.tell(time, "service.ticket.opened", number if ep.chance(0.4) else {**opener, **number}, data)
    talk = _converse(ep, {**opener, **number}, number, opened)
    _promise(ep, talk, journey, opened, reported if urgent else None)
    _count_transfers(ep, talk, journey)
    if talk.first is not None and ep.chance(0.2):
        _call_back(ep, number, journey, talk.first + ep.between(SECOND, MINUTE))


def _promise(ep: Episode, talk: _Talk, journey: Journey, opened: Micros, reported: Micros | None) -> None:
    """What the conversation comes to; `reported`: since when it is urgent, None if it is not."""
    ep.promise(
        "first_response",
        journey,
        opened,
        HELP_DESK.after(opened, FIRST_RESPONSE_WITHIN),
        met=talk.first,
        cancelled=talk.withdrawn,
        terms=FIRST_RESPONSE,
        words=talk.words,
    )
    if reported is not None:
        ep.promise(
            "urgent_resolution",
            journey,
            opened,
            reported + URGENT_RESOLUTION_WITHIN,
            met=talk.resolved,
            cancelled=talk.withdrawn,
            terms=URGENT_RESOLUTION,
            words=[word for word in talk.words if word.act is not Act.RESET],
            started=reported,
        )
    for asked, left in talk.waits:
        ep.visit(
            "waiting_for_agent",
            journey,
            asked,
            left,
            WAITING_FOR_AGENT_LIMIT,
            terms=WAITING_FOR_AGENT,
            words=talk.words,
            gives_up=left is not None and left == talk.withdrawn,
        )


def _count_transfers(ep: Episode, talk: _Talk, journey: Journey) -> None:
    """Nobody is handed on twice: the first transfer makes that promise, the end of the ticket completes it."""
    said = [Said(word.time, Saying.FIGURE, 1.0) for word in talk.words if word.act is Act.RESET]
    ended = talk.resolved or talk.withdrawn
    if said:
        made = min(each.time for each in said)
        if ended is not None:
            said.append(Said(ended, Saying.CLOSE))
        ep.figure("transfers", journey, made, MOST_TRANSFERS, said, TRANSFERS)


def _converse(ep: Episode, agent: Identities, number: Identities, asked: Micros) -> _Talk:
    """Turns of customer and agent, until it is resolved, withdrawn, or nobody replies any more."""
    talk = _Talk(number)
    while True:
        replied = _work(ep, talk, asked)
        if ep.chance(0.5 if replied is None else ep.outcomes.dropped):
            _withdraw(ep, talk, asked, replied)
            replied = None
        left = talk.withdrawn or replied
        talk.waits.append((asked, left))
        if ep.chance(0.2):
            # asking again while waiting is no new visit, and does not start the wait anew
            chased = asked + (DAY if left is None else left - asked) // 2
            talk.say(ep, chased, Act.RESUME, "service.ticket.customer_replied", {"chaser": True})
        if replied is None:
            return talk
        ep.tell(replied, "service.ticket.answered", agent, {"agent": f"agent-{int(ep.rng.random() * 40)}"})
        talk.first = talk.first or replied
        if ep.chance(0.55):
            resolved = replied + ep.between(MINUTE, 6 * HOUR)
            talk.resolved = ep.tell(resolved, "service.ticket.resolved", number, {}, "success")
            return talk
        asked = replied + ep.wait(5 * HOUR, 2 * DAY)
        talk.say(ep, asked, Act.RESUME, "service.ticket.customer_replied", {})


def _work(ep: Episode, talk: _Talk, asked: Micros) -> Micros | None:
    """The agent's part of a turn, in open hours; returns when the reply is sent, None for never."""
    is_first = talk.first is None
    takes = ep.within(FIRST_RESPONSE_WITHIN) if is_first else ep.lasts(WAITING_FOR_AGENT_LIMIT)
    begun = asked
    if ep.chance(0.1):
        begun = HELP_DESK.after(asked, ep.between(MINUTE, 6 * HOUR))
        talk.say(ep, begun, Act.RESET, "service.ticket.transferred", {"to_team": "second-line"})
    if ep.chance(0.25):
        return _ask_back(ep, talk, begun, takes)
    return None if takes is None else HELP_DESK.after(begun, takes)


def _ask_back(ep: Episode, talk: _Talk, begun: Micros, takes: Micros | None) -> Micros | None:
    """The agent has a question, perhaps when it is too late for that; the customer answers by night as well, or never."""
    worked = int((2 * FIRST_RESPONSE_WITHIN if takes is None else takes) * ep.rng.random())
    asked = HELP_DESK.after(begun, worked)
    talk.say(ep, asked, Act.PAUSE, "service.question.asked", {"about": "serial number"})
    heard = asked + (ep.between(DAY, 4 * DAY) if ep.chance(0.4) else ep.wait(6 * HOUR, 2 * DAY))
    if ep.chance(0.85):
        talk.say(ep, heard, Act.RESUME, "service.question.answered", {})
    return None if takes is None else HELP_DESK.after(heard, takes - worked)


def _withdraw(ep: Episode, talk: _Talk, asked: Micros, replied: Micros | None) -> None:
    """The customer gives up, after what was said and before the reply that would have come."""
    said = max([asked, *(word.time for word in talk.words)])
    until = said + 8 * DAY if replied is None else replied
    talk.withdrawn = said + (until - said) // 8 + ep.between(0, (until - said) * 3 // 4)
    ep.tell(talk.withdrawn, "service.ticket.withdrawn", talk.number, {"reason": "no_answer"})


def _call_back(ep: Episode, number: Identities, journey: Journey, promised: Micros) -> None:
    """An agent's word: a call by a time that the agent names."""
    limit = ep.between(2 * HOUR, DAY)
    declined = promised + limit // 3 if ep.chance(3 * ep.outcomes.dropped) else None
    after = None if declined else ep.within(limit)
    made = None if after is None else ep.tell(promised + after, "service.callback.made", number, {})
    if declined is not None:
        ep.tell(declined, "service.callback.declined", number, {})
    ep.tell(promised, "service.callback.promised", number, {"call_by": moment(promised + limit)})
    ep.promise("callback", journey, promised, promised + limit, met=made, cancelled=declined)
