"""Findings: a touched or due journey and the watermark in, what has changed of its conclusions out.

The conclusions are a pure function of the journey's fold and the watermark. Each is compared with what was
published last (`Published`, kept on the entry that opened it) and published as the next revision if it
differs; one that no longer holds is published as withdrawn and remembered, in case it comes to hold again.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final

import msgspec

from pipeline.core import promises, stalls, value_conclusions, values
from pipeline.core.conclusions import promise_finding, stall_finding
from pipeline.core.frames import FrameWriter
from pipeline.core.instants import NEVER
from pipeline.core.journey import TOLD, Journey
from pipeline.core.limits import LearnedLimits, facts_of, merge_told
from pipeline.core.messages import GOING_ON, Entry, Fact, Micros, Published, Stayed
from pipeline.core.outputs import Finding, PromiseFinding, StallFinding, encode, moment
from pipeline.core.person import Person, Suspect
from pipeline.core.promises import Making, PromiseFold
from pipeline.core.rules import LearnedRule, PromiseRule, Rule, StageRule, ValueRule
from pipeline.core.stalls import StageFold, Visit
from pipeline.core.stored import Observed
from pipeline.core.values import Told, ValueFold, ValueMaking
from pipeline.ports import Outbox

WITHDRAWN: Final = b"-"
"""Stands for the digest of a finding that was withdrawn."""
UNSURE: Final = b""
"""Stands for the digest of a finding of which two persons have published revisions: it is published once
more.
"""
_pack: Final = msgspec.msgpack.Encoder().encode


class Findings:
    """Publishes the differences of one batch to `topic`; `watermark` is in microseconds.

    Of what is learned it tells the learner by way of `stays`, and judges by what is known in `limits`.
    """

    def __init__(
        self, outbox: Outbox, topic: str, watermark: Micros, limits: LearnedLimits, stays: FrameWriter
    ) -> None:
        self._send = outbox.send
        self._limits = limits
        self._stays = stays
        self._topic = topic
        self._watermark = watermark
        self._detected_at = moment(watermark)

    def evaluate(self, person: Person, journey: Journey) -> None:
        """Publish what has changed of a journey that is not stale, and set its next deadline."""
        if not journey.has_news and journey.next_deadline > self._watermark:
            return
        journey.has_news = False
        soonest = NEVER
        rules = journey.rules
        # visits come first: most openings of one have no findings yet, so that there is nothing to withdraw
        for index, visits in enumerate(journey.stages):
            if visits is not None and (visits.inside or visits.ended):
                soonest = min(soonest, self._stalls(person, journey, rules.stages[index], visits))
        for fold in journey.promises:
            if fold is not None and fold.makings:
                soonest = min(soonest, self._promises(person, journey, fold))
        if journey.values:
            for index, measured in enumerate(journey.values):
                if measured is not None and measured.makings:
                    soonest = min(soonest, self._values(person, journey, rules.values[index], measured))
        journey.next_deadline = soonest

    def withdraw_suspects(self, person: Person) -> None:
        """Withdraw what was published and no evaluated journey holds any more."""
        for name, suspect in person.suspects.items():
            opening = person.trail.index.get((suspect.opening.source, suspect.opening.id), suspect.opening)
            if isinstance(suspect.rule, LearnedRule):
                self._tell(person, suspect.journey, suspect.rule, opening, name, None)
                continue
            revision = self._number(person, suspect.journey, opening, name, WITHDRAWN)
            if revision:
                self._withdraw(person, suspect, name, revision)
        person.suspects.clear()

    def _promises(self, person: Person, journey: Journey, fold: PromiseFold) -> Micros:
        """Publish the promises of a rule and keep the unsettled ones; the soonest of their deadlines."""
        soonest, unsettled, watermark = NEVER, [], self._watermark
        for making in fold.makings:
            if making.rule.learned is not None:
                self._forecast(person, journey, making.rule.learned, making)
            status, settled = promises.judge(making, watermark)
            settled_by = None if not settled else making.cancelled if status == "cancelled" else making.met
            terms = making.terms
            passed = None if terms is None else promises.passed(making, terms, status, watermark)
            if making.status != status or making.settled_by is not settled_by or making.passed != passed:
                making.status, making.settled_by, making.passed = status, settled_by, passed
                self._promise(person, journey, making)
            if not settled:
                unsettled.append(making)
                soonest = min(soonest, promises.deadline(making, watermark))
        if len(unsettled) < len(fold.makings):
            fold.makings = tuple(unsettled)
        return soonest

    def _promise(self, person: Person, journey: Journey, making: Making) -> None:
        rule, entry, by = making.rule, making.entry, making.settled_by
        _name(journey, rule, making)
        finding: PromiseFinding | None = None
        content: Any
        if making.terms is None and not rule.steps and not rule.attributes and making.learned is None:
            # all that is said of it, in short: most promises are so plain
            settled_by = by and (by.time, by.source, by.id)
            facts = (entry.time, entry.type, making.due, making.at_risk_at, rule.owner, rule.severity)
            calendar = None if rule.calendar is None else rule.calendar.name
            content = (making.status, person.id, settled_by, facts, calendar)
        else:
            finding = promise_finding(person, journey, making)
            # that a due time passed which does not decide is told as well, by a revision that says nothing else
            content = (making.passed, finding)
        revision = self._revision(person, journey, making, content)
        if revision is not None:
            self._publish(finding or promise_finding(person, journey, making), revision)

    def _values(self, person: Person, journey: Journey, rule: ValueRule, fold: ValueFold) -> Micros:
        """Publish the value promises of a rule and keep those still measured; the soonest of their deadlines."""
        soonest, unsettled, watermark = NEVER, [], self._watermark
        for making in fold.makings:
            if making.bounds is None:
                if making.observed.how == values.OPEN:
                    unsettled.append(making)
                continue
            status, settled = values.judge(rule, making, watermark)
            told = value_conclusions.told(making, status)
            if making.told != told:
                making.told = told
                self._value(person, journey, rule, making)
            if not settled:
                unsettled.append(making)
                soonest = min(soonest, values.deadline(making, watermark))
        if len(unsettled) < len(fold.makings):
            fold.makings = tuple(unsettled)
        return soonest

    def _value(self, person: Person, journey: Journey, rule: ValueRule, making: ValueMaking) -> None:
        _name(journey, rule, making)
        finding = value_conclusions.value_finding(person, journey, rule, making)
        revision = self._revision(person, journey, making, finding)
        if revision is not None:
            self._publish(finding, revision)

    def _stalls(self, person: Person, journey: Journey, rule: StageRule, fold: StageFold) -> Micros:
        """Publish the stalls of a stage and let go of the visits that ended; the deadline of the one
        inside.
        """
        ended, fold.ended = fold.ended, ()
        if not rule.may_stall:
            return NEVER
        inside = fold.inside
        for visit in ended if inside is None else (*ended, inside):
            if rule.learned is not None:
                self._learn(person, journey, rule.learned, visit)
            self._stall(person, journey, visit)
        return NEVER if inside is None else stalls.deadline(inside, self._watermark)

    def _learn(self, person: Person, journey: Journey, rule: LearnedRule, visit: Visit) -> None:
        """Tell the learner of a visit, and judge it by what was learned of others."""
        entry, left = visit.entry, visit.left
        fact = (rule.segment_of(entry), entry.time, GOING_ON if left is None else left.time)
        self._tell(person, journey, rule, entry, journey.finding_id(rule, entry), fact)
        if not visit.is_judged_by_others:
            visit.is_judged_by_others = True
            if (found := self._limits.find(rule, entry)) is not None:
                stalls.limit_by_others(visit, *found)

    def _forecast(self, person: Person, journey: Journey, rule: LearnedRule, making: Making) -> None:
        """Tell the learner how long a promise took, and when it is at risk by what was learned of others."""
        entry, met = making.entry, making.met
        fact: Fact | None = None
        if making.cancelled is None or met is not None:
            fact = (
                rule.segment_of(entry),
                entry.time,
                GOING_ON if met is None else max(entry.time, met.time),
            )
        if fact is None:
            # nobody learns from it, and perhaps nobody was ever told of it; what others took is said of it all the same
            self._limits.remember(person.id, entry.time)
        self._tell(person, journey, rule, entry, journey.finding_id(rule, entry), fact)
        if not making.is_judged_by_others:
            making.is_judged_by_others = True
            making.learned = self._limits.find(rule, entry)
        if making.learned is not None:
            promises.forecast(making, making.learned[0], rule.threshold)

    def _tell(
        self,
        person: Person,
        journey: Journey,
        rule: LearnedRule,
        opening: Entry,
        name: str,
        fact: Fact | None,
    ) -> None:
        """Tell the learner what holds of a stay now, None: nothing, if that is not what it was told last."""
        if fact is not None and person.suspects:
            person.suspects.pop(name, None)
        digest = b"" if fact is None else _pack([fact])
        known = next((each for each in opening.findings if each.finding_id == name), None)
        if digest == (b"" if known is None else known.digest):
            return
        before = [] if known is None else facts_of(person.id, known.digest)
        told = Published(name, 0 if known is None else known.revision + 1, digest)
        opening.findings = (*[each for each in opening.findings if each is not known], told)
        person.mark(journey, opening)
        if fact is not None and not before:
            self._limits.remember(person.id, fact[1])
        self._stays.add(0, Stayed(rule.label, before, fact))

    def _stall(self, person: Person, journey: Journey, visit: Visit) -> None:
        rule, status = visit.rule, stalls.judge(visit, self._watermark)
        passed = None if not rule.is_told_more else stalls.passed(visit, self._watermark)
        # an exit from what was given up, or a pause before what is a stall all the same, changes neither and is told
        is_told = status == "withdrawn" or (visit.left is None and visit.clock is None)
        if is_told and visit.status == status and visit.passed == passed:
            return
        visit.status, visit.passed = status, passed
        entry, left = visit.entry, visit.left
        if status == "withdrawn" and not entry.findings:
            return
        _name(journey, rule, visit)
        finding: StallFinding | None = None
        content: Any = None
        is_plain = rule.calendar is None and not rule.is_told_more and visit.learned is None
        if is_plain and status not in ("withdrawn", "abandoned"):
            by = left and (left.time, left.source, left.id)
            content = (status, person.id, by, (entry.time, visit.limit, rule.owner, rule.severity))
        elif status != "withdrawn":
            content = finding = stall_finding(person, journey, visit)
        revision = self._revision(person, journey, visit, content)
        if revision is not None:
            self._publish(finding or stall_finding(person, journey, visit), revision)

    def _revision(
        self,
        person: Person,
        journey: Journey,
        opening: Making | ValueMaking | Visit,
        content: Any,
    ) -> int | None:
        """The revision to publish as; None if the same was published already. `content` decides whether it was: all that
        the finding says, or the finding itself before it has a number; None: that it does not hold.
        """
        name = opening.finding_id
        if person.suspects:
            suspect = person.suspects.pop(name, None)
            if suspect is not None and suspect.opening.time != opening.entry.time:
                self._let_go(person, suspect, opening.entry, name)
        digest = WITHDRAWN if content is None else blake2b(_pack(content), digest_size=8).digest()
        return self._number(person, journey, opening.entry, name, digest)

    def _number(
        self, person: Person, journey: Journey, opening: Entry, name: str, digest: bytes
    ) -> int | None:
        """Write down what is published of a finding; its revision, None if there is nothing new to publish."""
        for place, known in enumerate(opening.findings):
            if known.finding_id == name:
                if known.digest == digest:
                    return None
                revision = known.revision + 1
                told = Published(name, revision, digest)
                opening.findings = (*opening.findings[:place], told, *opening.findings[place + 1 :])
                break
        else:
            if digest == WITHDRAWN:
                return None
            revision = 0
            opening.findings = (*opening.findings, Published(name, revision, digest))
        person.mark(journey, opening)
        return revision

    def _let_go(self, person: Person, suspect: Suspect, opening: Entry, name: str) -> None:
        """Withdraw what began at another time, as the other content of its touchpoint says: readers keep a finding under its
        time, so that a revision with a new one would leave what they have.
        """
        revision = self._number(person, suspect.journey, opening, name, WITHDRAWN)
        if revision is not None:
            self._withdraw(person, suspect, name, revision)

    def _withdraw(self, person: Person, suspect: Suspect, name: str, revision: int) -> None:
        journey, rule, entry = suspect
        finding: Finding
        if isinstance(rule, PromiseRule):
            making = promises.make(rule, entry) or Making(rule, entry, entry.time, entry.time)
            making.finding_id, making.status = name, "withdrawn"
            finding = promise_finding(person, journey, making)
        elif isinstance(rule, ValueRule):
            value = values.make(rule, entry, ()) or ValueMaking(rule, entry, None, Observed())
            value.finding_id, value.told = name, Told("withdrawn", 0, 0, None, None, None)
            finding = value_conclusions.value_finding(person, journey, rule, value)
        else:
            assert isinstance(rule, StageRule)
            visit = stalls.begin(rule, entry, None)
            visit.finding_id, visit.status = name, "withdrawn"
            finding = stall_finding(person, journey, visit)
        self._publish(finding, revision)

    def _publish(self, finding: Finding, revision: int) -> None:
        finding.revision = revision
        finding.detected_at = self._detected_at
        self._send(self._topic, encode(finding), key=finding.finding_id.encode())


def _name(journey: Journey, rule: Rule, opening: Making | ValueMaking | Visit) -> None:
    """Give an opening the name of its finding."""
    if not opening.finding_id:
        opening.finding_id = journey.finding_id(rule, opening.entry)


def merge_published(
    person: str, mine: tuple[Published, ...], theirs: tuple[Published, ...]
) -> tuple[Published, ...]:
    """What two copies of one touchpoint of this person have had published of them, so that the next revision tops both."""
    merged = {known.finding_id: known for known in mine}
    for known in theirs:
        other = merged.get(known.finding_id)
        if other is not None:
            is_told = known.finding_id.startswith(TOLD)
            told = merge_told(person, other.digest, known.digest) if is_told else UNSURE
            merged[known.finding_id] = Published(known.finding_id, max(known.revision, other.revision), told)
        else:
            merged[known.finding_id] = known
    return tuple(merged.values())
