"""Laws of clocks: the set of touchpoints decides; a clock that counts minute by minute says the same."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any, NamedTuple

from clock_world import (
    ANSWER,
    ASKED,
    CALLED_OFF,
    DELIVERED,
    DELIVERY,
    DROPPED,
    HANDLING,
    MOVED,
    OFFICE,
    OPENED,
    ORDERED,
    REPLIED,
    RESCHEDULED,
    SOLVED,
    answer,
    desk,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from journey_world import Story, at, plan_of
from laws import examples

from pipeline.core.calendars import BusinessCalendar
from pipeline.core.instants import MINUTE, micros
from pipeline.core.journey import open_journey, order
from pipeline.core.messages import Entry

WARNED = {"warn_at": ["50%"], "escalate": [{"after": "2h", "to": "lead"}, {"after": "9h", "to": "head"}]}
EVERYTHING = desk(
    promises={
        "answer": {**ANSWER, **WARNED, "due": {"within": "8h", "calendar": "office"}, "per": "data.part"},
        "delivery": {**DELIVERY, **WARNED, "judged_by": "best", "per": "data.part"},
        "parcels": {**DELIVERY, "parts": "data.parts"},
    },
    stages={
        "handling": {
            **HANDLING,
            **WARNED,
            "calendar": "office",
            "visits": "many",
            "abandoned_after": "20h",
        },
    },
    office=OFFICE,
)
_START = at("2026-03-02 06:00")
_KINDS = [
    OPENED,
    OPENED,
    ASKED,
    REPLIED,
    MOVED,
    SOLVED,
    DROPPED,
    ORDERED,
    ORDERED,
    RESCHEDULED,
    DELIVERED,
    CALLED_OFF,
]


class Happening(NamedTuple):
    name: str
    when: str
    kind: str
    data: dict[str, Any]


def _text(minutes: int) -> str:
    return (_START + timedelta(minutes=minutes)).strftime("%Y-%m-%d %H:%M")


@st.composite
def happenings(draw: st.DrawFn, most: int = 14) -> list[Happening]:
    """Touchpoints of one case over ten days, some at the same instant."""
    found = []
    for number in range(draw(st.integers(1, most))):
        minutes = draw(st.sampled_from([0, 60, 90, 180, 181, 420, 480, 600, 1440, 1500, 2880, 5760, 9000]))
        data: dict[str, Any] = {"part": draw(st.sampled_from([None, "A", "B"]))}
        kind = draw(st.sampled_from(_KINDS))
        if kind in (ORDERED, RESCHEDULED):
            due = draw(st.sampled_from([None, minutes - 60, minutes, minutes + 600, 3000]))
            data["due"] = None if due is None else _text(due)
            data["parts"] = draw(st.sampled_from([None, 2]))
        found.append(Happening(f"e{number}", _text(minutes), kind, data))
    return found


def _tell(story: Story, happening: Happening) -> None:
    data = {name: value for name, value in happening.data.items() if value is not None}
    story.happens(happening.when, happening.kind, name=happening.name, **data)


def _last_words(story: Story) -> dict[str, Any]:
    """The content of the last revision of each finding that holds."""
    last = {found.finding_id: found for found in story.findings}
    return {
        name: found.model_dump(exclude={"revision", "detected_at"})
        for name, found in last.items()
        if found.status != "withdrawn"
    }


@settings(max_examples=examples(150), deadline=None)
@given(happenings(), st.randoms(use_true_random=False), st.sampled_from([300, 1500, 4000, 20_000]))
def test_any_order_of_arrival_ends_in_the_same_last_words(
    drawn: list[Happening], random: Random, until: int
) -> None:
    in_order, shuffled = Story(EVERYTHING), Story(EVERYTHING)
    for happening in drawn:
        _tell(in_order, happening)
    in_order.until(_text(until)).quiet()
    for happening in random.sample(drawn, len(drawn)):
        _tell(shuffled, happening)
        if random.random() < 0.4:
            shuffled.until(_text(random.randrange(0, until)))
        if random.random() < 0.1:
            shuffled.open(EVERYTHING)
    shuffled.until(_text(until)).quiet()
    assert _last_words(shuffled) == _last_words(in_order)


@settings(max_examples=examples(100), deadline=None)
@given(happenings(), st.integers(0, 20_000))
def test_deadlines_say_what_a_look_at_every_moment_would(drawn: list[Happening], step: int) -> None:
    """Time that jumps from deadline to deadline, and time that creeps, see the same."""
    jumping, creeping = Story(EVERYTHING), Story(EVERYTHING)
    for happening in drawn:
        _tell(jumping, happening)
        _tell(creeping, happening)
    for minutes in range(0, 20_000, max(97, step)):
        creeping.until(_text(minutes))
    jumping.until(_text(20_000)).quiet()
    creeping.until(_text(20_000)).quiet()
    assert _last_words(jumping) == _last_words(creeping)


@settings(max_examples=examples(100), deadline=None)
@given(happenings(most=20), st.integers(1, 20))
def test_a_journey_goes_on_from_its_cut_part_as_if_it_were_whole(drawn: list[Happening], cut: int) -> None:
    story = Story(EVERYTHING)
    [rules] = story.plan.journeys
    entries = sorted((_entry(story, happening) for happening in drawn), key=order)
    whole, based = open_journey(rules, "7"), open_journey(rules, "7")
    whole.entries, based.entries = list(entries), list(entries)
    whole.refold()
    based.refold()
    if len(entries) > cut:
        based.cut(order(entries[cut - 1]))
        based.refold()
    assert [_open_promises(fold) for fold in based.promises] == [
        _open_promises(fold) for fold in whole.promises
    ]
    assert _inside(based) == _inside(whole)


def _entry(story: Story, happening: Happening) -> Entry:
    data = {name: value for name, value in happening.data.items() if value is not None}
    return story.touchpoint(happening.when, happening.kind, happening.name, "7", "", "", data).entry


def _open_promises(fold: Any) -> Any:
    if fold is None:
        return None
    fold.drop_settled()
    return [(each.entry.id, each.due, each.at_risk_at, each.terms) for each in fold.makings]


def _inside(journey: Any) -> Any:
    return [
        fold and fold.inside and (fold.inside.entry.id, fold.inside.since, fold.inside.clock)
        for fold in journey.stages
    ]


# -- a clock that counts minutes


def _by_the_minute(
    calendar: BusinessCalendar | None, happened: Sequence[tuple[int, str]], target: int, until: int
) -> tuple[str, int | None]:
    """What has become of a promise that was made at minute 0, and the minute by which its target had run, if it had.

    Each minute [n, n + 1) runs or does not; what happens at minute n happens before it, in the order given.
    """
    start = micros(_START)
    paused, spent, due = False, 0, None
    for minute in range(until + 1):
        for at_minute, kind in happened:
            if at_minute != minute:
                continue
            if kind == SOLVED:
                return ("kept" if due is None or minute <= due else "broken"), due
            if due is None:
                paused = {ASKED: True, REPLIED: False}.get(kind, paused)
            if kind == MOVED and (due is None or minute <= due):
                spent, due = 0, None
        instant = start + minute * MINUTE
        is_open = calendar is None or calendar.between(instant, instant + MINUTE) > 0
        if due is None and is_open and not paused:
            spent += 1
            if spent == target:
                due = minute + 1
    return ("broken" if due is not None and until > due else "open"), due


@settings(max_examples=examples(200), deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 3000).map(lambda n: n * 5 - n % 3), st.sampled_from([ASKED, REPLIED, MOVED])
        ),
        max_size=8,
    ),
    st.none() | st.integers(1, 9000),
    st.booleans(),
)
def test_a_clock_says_what_counting_minutes_says(
    drawn: list[tuple[int, str]], solved: int | None, on_calendar: bool
) -> None:
    journey_map = answer(due={"within": "8h", "calendar": "office"} if on_calendar else {"within": "8h"})
    # at one minute only one thing happens: which of two comes first is another law's matter
    happened = sorted({minute: (minute, kind) for minute, kind in drawn}.values())
    if solved is not None:
        happened = sorted([*[each for each in happened if each[0] != solved], (solved, SOLVED)])
    calendar = plan_of(journey_map).journeys[0].promises[0].calendar
    until = 12_000
    story = Story(journey_map)
    story.happens(_text(0), OPENED)
    for minute, kind in happened:
        if minute <= until:
            story.happens(_text(minute), kind)
    found = story.until(_text(until)).quiet().last("answer")
    status, due = _by_the_minute(calendar, happened, 480, until)
    said = "open" if found.status in ("made", "at_risk") else found.status
    assert said == status
    if due is not None:
        assert found.detail.due_at == _START + timedelta(minutes=due)
