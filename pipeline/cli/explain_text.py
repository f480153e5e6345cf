"""An explanation in words: what was published and why in, lines of text out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.text import Text

from pipeline.cli.durations_text import gap_in_words, in_words
from pipeline.cli.figures_text import in_unit, promised_in_words
from pipeline.core.instants import EPOCH, NEVER, SECOND, moment
from pipeline.core.messages import Entry, Micros
from pipeline.core.rules import JUDGES, PromiseRule, StageRule
from pipeline.operations.explanation import Explanation, Segment
from pipeline.warehouse.explained import Detail, Published

_TERMS = 6
"""Of a sum that is written out; of more, only the total is told."""


def lines_of_figure(published: Published, entries: Sequence[Entry]) -> Iterator[Text]:
    """Everything about a promise of a figure: what was promised, what was observed, and the sum behind it."""
    said, detail = published.said, published.said.detail
    yield from _head(published, "promise")
    yield Text("The rule", "bold")
    yield Text(
        f"  {promised_in_words(detail)}, by the word of {_WORD.get(detail.basis, detail.basis)}; owed by {detail.owed_by}"
    )
    if detail.tolerance:
        yield Text(f"  {detail.tolerance:.0%} of it may be missed")
    if detail.closes_at is not None:
        yield Text(f"  measured until {_moment(detail.closes_at)}")
    yield Text("")
    yield Text("What happened", "bold")
    for entry in entries:
        if f"{entry.source}#{entry.id}" in said.evidence:
            yield Text.assemble(
                "  ", (_at(entry.time), "dim"), f"  {entry.type}", (f"  {entry.source}#{entry.id}", "dim")
            )
    yield Text("")
    yield Text("The conclusion", "bold")
    if detail.observed is None:
        yield Text(f"  nothing observed: {said.status}")
    else:
        observed = in_unit(detail.observed, detail.unit)
        yield Text(f"  {detail.measured} of {detail.observations} observed: {observed}: {said.status}")
    if detail.gap is not None and detail.promised_to and detail.kind in _SUMS:
        sums = _SUMS[detail.kind].format(observed=f"{detail.observed:g}", promised=f"{detail.promised_to:g}")
        yield Text(f"  gap {sums} = {detail.gap:+.4g}, positive is worse")
    elif detail.gap is not None:
        yield Text(f"  gap {detail.gap:+.4g}: how far beyond the nearer limit, as a share of it")
    yield Text("")
    yield from _revisions(published)


_WORD = {
    "touchpoint": "the touchpoint that made it",
    "map": "the journey map",
    "habit": "what the customer is used to",
}
_SUMS = {
    "at_most": "({observed} - {promised}) / {promised}",
    "at_least": "({promised} - {observed}) / {promised}",
    "equals": "|{observed} - {promised}| / {promised}",
}


def _head(published: Published, what: str) -> Iterator[Text]:
    said = published.said
    yield Text.assemble(
        (f"{what} {said.rule}", "bold"),
        f" of {said.journey_type} {said.journey_key}: ",
        (said.status, "bold"),
    )
    yield Text(f"  finding {published.finding_id}, person {said.person_id}", "dim")
    yield Text("")


def _revisions(published: Published) -> Iterator[Text]:
    yield Text("What was said when", "bold")
    for each in published.revisions:
        told = each.detected_at > EPOCH
        when = f"when time had come to {_moment(each.detected_at)}" if told else "before any time was told"
        yield Text(f"  revision {each.number}: {each.status}, {when}")


def lines_of(published: Published, explanation: Explanation) -> Iterator[Text]:
    """Everything about a finding, from what was concluded to the arithmetic behind it."""
    said = published.said
    yield from _head(published, "promise" if said.type == "promise" else "stage")
    yield Text("The rule", "bold")
    yield from _indented(_rule(explanation))
    yield from _indented(_learned(said.detail))
    yield Text("")
    yield Text("What happened", "bold")
    for act in explanation.acts:
        note = "" if act.counts else "   changes nothing"
        yield Text.assemble(
            "  ",
            (_at(act.entry.time), "dim"),
            f"  {act.what:<11}  {act.entry.type}",
            (f"  {act.entry.source}#{act.entry.id}{note}", "dim"),
        )
    if explanation.segments:
        yield Text("")
        yield Text("What the clock did", "bold")
        yield from _indented(map(_segment, explanation.segments))
    yield Text("")
    yield Text("The conclusion", "bold")
    yield from _indented(_conclusion(explanation))
    yield Text("")
    yield from _revisions(published)
    if explanation.status != said.status:
        yield Text("")
        yield Text(
            f"Under the present map and touchpoints this is {explanation.status}, and {said.status} was published: "
            "a touchpoint or the map has changed since, or is still under way.",
            "yellow",
        )


def _indented(lines: Iterator[str]) -> Iterator[Text]:
    return (Text(f"  {line}") for line in lines)


def _rule(explanation: Explanation) -> Iterator[str]:
    rule, target = explanation.rule, explanation.target
    on = f" of open time on the calendar {rule.calendar.name}" if rule.calendar else ""
    if isinstance(rule, StageRule):
        on = "" if explanation.is_learned else on
        if target is None:
            yield f"a stall is what lasts longer than was learned, and nothing was; owned by {rule.owner}"
        else:
            yield f"longer than {in_words(target)}{on} is a stall; owned by {rule.owner}"
        return
    assert isinstance(rule, PromiseRule)
    if target is not None:
        yield f"due when {in_words(target)}{on} have run since it started; owed by {rule.owner}"
    elif rule.end_of is None:
        yield f"due at the instant in {rule.due_field} of the touchpoint that made it; owed by {rule.owner}"
    else:
        calendar = rule.calendar.name if rule.calendar else ""
        yield f"due at the end of a business day on the calendar {calendar}; owed by {rule.owner}"
    if not explanation.is_learned:
        yield f"at risk from {rule.at_risk:.0%} of the way on"
    if rule.judged_by != JUDGES.index("latest"):
        yield f"judged by the {JUDGES[rule.judged_by]} due time that was told"
    if rule.per is not None:
        yield f"of several in one journey, told apart by {rule.per}"
    if rule.parts is not None:
        yield f"met in as many parts as {rule.parts} of the making says"


def _learned(detail: Detail) -> Iterator[str]:
    """What was learned of others, and from how many."""
    if (limit := detail.learned) is not None:
        times = "" if limit.times == 1 else f"{limit.times:g} times "
        others = f"the {_seconds(detail.limit_seconds / limit.times)} that {limit.quantile:.0%} of stays do not outlast"
        low, high = _seconds(limit.low_seconds), limit.high_seconds
        bounds = f"more than {low}" if high is None else f"from {low} to {_seconds(high)}"
        yield f"this was learned: {times}{others}"
        yield f"with 95% confidence it is {bounds}"
        yield _rests_on("stays", limit.ended, limit.segment, limit.learned_at)
    if (forecast := detail.forecast) is not None and detail.at_risk_at is not None:
        others = (
            f"of earlier ones that took so long, {forecast.threshold:.0%} took longer than to the due time"
        )
        yield f"at risk from {_moment(detail.at_risk_at)} on: {others}"
        yield f"when it was made, it was {forecast.probability:.0%} probable that it breaks"
        yield _rests_on("promises", forecast.ended, forecast.segment, forecast.learned_at)


def _rests_on(what: str, ended: int, segment: str | None, learned_at: datetime) -> str:
    of = "" if segment is None else f" of {segment}"
    return (
        f"going by {ended:,} {what}{of} that had ended, and those that went on, as of {_moment(learned_at)}"
    )


def _seconds(seconds: float) -> str:
    return in_words(round(seconds * SECOND))


def _segment(segment: Segment) -> str:
    lasted = segment.end - segment.start
    if segment.kind == "paused":
        took = f"stood still for {in_words(lasted)}"
    elif segment.kind == "closed":
        took = f"closed for {in_words(lasted)}"
    elif segment.spent == lasted:
        took = f"ran for {in_words(lasted)}"
    else:
        took = f"ran for {in_words(segment.spent)}, and was closed for {in_words(lasted - segment.spent)}"
    return f"{_at(segment.start)} to {_at(segment.end)}  {took}"


def _conclusion(explanation: Explanation) -> Iterator[str]:
    due, by, target = explanation.due, explanation.settled_by, explanation.target
    if explanation.segments and target is not None:
        ran = [segment.spent for segment in explanation.segments if segment.kind == "ran"]
        total = sum(ran)
        sums = (
            f"{' + '.join(map(in_words, ran))} = {in_words(total)}"
            if 1 < len(ran) <= _TERMS
            else in_words(total)
        )
        compared = "more than" if total > target else "of"
        yield f"by {_at(explanation.end)} it had run for {sums}, {compared} the {in_words(target)} that it has"
    if due == NEVER and target is None:
        yield "it has no limit"
    elif due == NEVER:
        yield "no due time: it lies beyond the calendar's years"
    elif explanation.segments and explanation.segments[-1].kind == "paused":
        yield f"it stands still; if it went on at once it would be due at {_at(due)}"
    elif isinstance(explanation.rule, StageRule):
        yield f"the limit was reached at {_at(due)}"
    else:
        yield f"due at {_at(due)}"
    if explanation.given_up_at is not None:
        yield f"given up at {_at(explanation.given_up_at)}"
    if by is not None:
        yield f"settled at {_at(by.time)}, {gap_in_words(by.time - due)}: {explanation.status}"
    else:
        yield f"nothing has settled it, and time has come to {_at(explanation.end)}: {explanation.status}"


def _at(instant: Micros) -> str:
    return _moment(moment(instant))


def _moment(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d %H:%M:%S").removesuffix(":00")
