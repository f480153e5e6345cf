"""After the purchase: set-up, survey, return, ticket, installation, complaint, each with its own promise."""

from __future__ import annotations

from pipeline.core.instants import DAY, MINUTE, SECOND, moment
from pipeline.core.messages import Micros
from pipeline.simulate.company import (
    ACTIVATION_WITHIN,
    AWAITING_INSTALLATION_LIMIT,
    DETRACTOR_CALL_WITHIN,
    FIRST_RESPONSE_WITHIN,
    HOUR,
    INSPECTION_LIMIT,
    REFUND_WITHIN,
    SETUP_LIMIT,
    SOCIAL_ANSWER_WITHIN,
    TOPICS,
    URGENT_RESOLUTION_WITHIN,
    WAITING_FOR_AGENT_LIMIT,
)
from pipeline.simulate.episode import Data, Episode, Identities
from pipeline.simulate.plans import Journey


def after_delivery(ep: Episode, order: Identities, delivered: Micros) -> None:
    """What may follow an order that arrived."""
    if ep.chance(0.3):
        _set_up(ep, delivered + ep.wait(6 * HOUR, 2 * DAY))
    if ep.chance(0.35):
        _survey(ep, order, delivered + ep.wait(DAY, 3 * DAY))
    if ep.chance(0.12):
        _return(ep, order, delivered + ep.wait(2 * DAY, 6 * DAY))
    if ep.chance(0.12):
        ticket(ep, ep.me, delivered + ep.wait(DAY, 5 * DAY))


def chase(ep: Episode, order: Identities, time: Micros) -> None:
    """The order is late: the customer complains in public, or asks the help desk."""
    if ep.chance(0.3):
        complain(ep, order, time)
    else:
        ticket(ep, order, time)


def _set_up(ep: Episode, time: Micros) -> None:
    serial = ep.name("N")
    journey = ("onboarding", serial)
    # whoever registers a device has an account, also one who bought as a guest
    account, device = {"customer_id": ep.customer}, {"device": ep.name("D")}
    ids = {**account, **device}
    data: Data = {"serial": serial}
    registered = ep.tell(time, "product.device.registered", ids, data)
    ep.own(account, device, since=registered)
    after = ep.within(ACTIVATION_WITHIN)
    activated = None if after is None else ep.tell(registered + after, "product.account.activated", ids, data)
    ep.promise("activation", journey, registered, registered + ACTIVATION_WITHIN, met=activated)
    started = ep.tell(registered + ep.between(MINUTE, HOUR), "product.setup.started", ids, data)
    lasted = ep.lasts(SETUP_LIMIT)
    done = (
        None if lasted is None else ep.tell(started + lasted, "product.setup.completed", ids, data, "success")
    )
    ep.visit("setup", journey, started, done, SETUP_LIMIT)


def _survey(ep: Episode, order: Identities, time: Micros) -> None:
    """Asked by e-mail; an answer that finds fault is promised a call."""
    survey_id = ep.name("V")
    ep.tell(time, "survey.survey.sent", ep.me, {"survey": survey_id, "kind": "nps"})
    if ep.chance(0.4):
        return
    answered = time + ep.wait(8 * HOUR, 4 * DAY)
    score = int(11 * ep.rng.random() ** 0.5)
    group = "promoter" if score > 8 else "passive" if score > 6 else "detractor"
    answer: Data = {"survey": survey_id, "score": score, "group": group}
    ep.tell(answered, "survey.nps.answered", order, answer)
    if group == "detractor":
        after = ep.within(DETRACTOR_CALL_WITHIN)
        called = None if after is None else answered + after
        if called is not None:
            ep.tell(called, "service.call.ended", ep.me, {"survey": survey_id, "queue": "outbound"})
        ep.promise(
            "detractor_call", ("feedback", survey_id), answered, answered + DETRACTOR_CALL_WITHIN, met=called
        )


def _return(ep: Episode, order: Identities, asked: Micros) -> None:
    """A return is followed by its own number, which is no identifier: `data.return_id`."""
    return_id = ep.name("R")
    data: Data = {"return_id": return_id}
    journey = ("return", return_id)
    ep.tell(asked, "sales.return.requested", {**ep.me, **order}, {**data, "reason": "unsuitable"})
    received = ep.tell(asked + ep.wait(2 * DAY, 6 * DAY), "fulfilment.return.received", order, data)
    lasted = ep.lasts(INSPECTION_LIMIT)
    inspected = (
        None if lasted is None else ep.tell(received + lasted, "fulfilment.return.inspected", order, data)
    )
    ep.visit("returns_inspection", journey, received, inspected, INSPECTION_LIMIT)
    if inspected is not None and ep.chance(2 * ep.outcomes.dropped):
        refunded, rejected = None, inspected + ep.between(MINUTE, 4 * HOUR)
        ep.tell(rejected, "fulfilment.return.rejected", order, data, "failure")
    else:
        after = ep.within(REFUND_WITHIN)
        refunded, rejected = None if after is None else received + after, None
    if refunded is not None:
        ep.tell(refunded, "billing.refund.paid", order, {**data, "amount": 149.0}, "success")
    ep.promise("refund", journey, received, received + REFUND_WITHIN, met=refunded, cancelled=rejected)


def help_desk(ep: Episode) -> None:
    """Trouble of another kind: the customer asks the help desk, or the public."""
    ask_for_help(ep, ep.me, ep.start)


def ask_for_help(ep: Episode, who: Identities, time: Micros) -> None:
    if ep.chance(0.2):
        complain(ep, who, time)
    else:
        ticket(ep, who, time)


def installation(ep: Episode, order: Identities, booked: Micros) -> None:
    """A partner's appointment: promised for a window, done, missed or called off."""
    appointment = ep.name("A")
    journey = ("installation", appointment)
    data: Data = {"visit": appointment, "partner": "fit-and-go"}
    lasted = ep.lasts(AWAITING_INSTALLATION_LIMIT)
    ended = None if lasted is None else booked + lasted
    done = called_off = None
    if ended is None:
        due = booked + 5 * DAY
    elif ep.chance(3 * ep.outcomes.dropped):
        due = ended + DAY
        called_off = ep.tell(ended, "partner.visit.cancelled", order, data)
    else:
        due = ep.aimed(booked, ended, slack=4 * HOUR)
        done = ep.tell(ended, "partner.visit.completed", order, data, "success")
    ep.tell(booked, "partner.visit.scheduled", order, {**data, "ends_at": moment(due)})
    ep.visit("awaiting_installation", journey, booked, ended, AWAITING_INSTALLATION_LIMIT)
    ep.promise("appointment", journey, booked, due, met=done, cancelled=called_off)


def complain(ep: Episode, identities: Identities, time: Micros) -> None:
    post = ep.name("B")
    journey = ("complaint", post)
    data: Data = {"post": post, "network": "chirper"}
    posted = ep.tell(time, "social.post.published", identities, data)
    after = ep.within(SOCIAL_ANSWER_WITHIN)
    answered = None if after is None else ep.tell(posted + after, "social.mention.answered", identities, data)
    ep.promise("social_answer", journey, posted, posted + SOCIAL_ANSWER_WITHIN, met=answered)


def ticket(ep: Episode, opener: Identities, time: Micros) -> None:
    """A ticket goes back and forth; a chat knows only its ticket until an agent finds out who it is."""
    number = {"ticket_id": ep.name("T")}
    journey = ("ticket", number["ticket_id"])
    urgent = ep.chance(0.2)
    data: Data = {"topic": ep.pick(TOPICS), "priority": "urgent" if urgent else "normal"}
    opened = ep.tell(time, "service.ticket.opened", number if ep.chance(0.4) else {**opener, **number}, data)
    first, resolved = _converse(ep, {**opener, **number}, number, journey, opened)
    ep.promise("first_response", journey, opened, opened + FIRST_RESPONSE_WITHIN, met=first)
    if urgent:
        ep.promise("urgent_resolution", journey, opened, opened + URGENT_RESOLUTION_WITHIN, met=resolved)
    if first is not None and ep.chance(0.2):
        _call_back(ep, number, journey, first + ep.between(SECOND, MINUTE))


def _converse(
    ep: Episode, agent: Identities, number: Identities, journey: Journey, asked: Micros
) -> tuple[Micros | None, Micros | None]:
    """Turns of customer and agent; returns the first reply and the resolution, where they happen."""
    first: Micros | None = None
    while True:
        after = ep.within(FIRST_RESPONSE_WITHIN) if first is None else ep.lasts(WAITING_FOR_AGENT_LIMIT)
        replied = None if after is None else asked + after
        ep.visit("waiting_for_agent", journey, asked, replied, WAITING_FOR_AGENT_LIMIT)
        if ep.chance(0.2):
            # asking again while waiting is no new visit, and does not start the wait anew
            ep.tell(asked + (after or DAY) // 2, "service.ticket.customer_replied", number, {"chaser": True})
        if replied is None:
            return first, None
        ep.tell(replied, "service.ticket.answered", agent, {"agent": f"agent-{int(ep.rng.random() * 40)}"})
        first = first or replied
        if ep.chance(0.55):
            resolved = replied + ep.between(MINUTE, 6 * HOUR)
            return first, ep.tell(resolved, "service.ticket.resolved", number, {}, "success")
        asked = ep.tell(replied + ep.wait(5 * HOUR, 2 * DAY), "service.ticket.customer_replied", number, {})


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
