"""Laws of value promises: only the set of touchpoints decides, and what is certain is what every future agrees on."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from journey_world import Story
from laws import examples
from value_oracle import Happening, Rule, conclusions
from value_world import (
    ANSWERED,
    KINDS,
    REFUSED,
    RETURNED,
    SEEN,
    STARTED,
    TRANSFERRED,
    TRIP,
    fuel,
)

from pipeline.core.budget import Budget
from pipeline.core.instants import SECOND, moment
from pipeline.core.journey import Journey, open_journey, order
from pipeline.core.messages import Entry

START = 1_772_323_200 * SECOND
FIGURES = st.integers(-2, 5)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    kind = draw(st.sampled_from(["at_most", "at_least", "equals", "range"]))
    take = draw(
        st.sampled_from(
            ["first", "last", "highest", "lowest", "mean", "sum", "count", "duration", "duration"]
        )
    )
    least = 0 if take in ("count", "duration") else -2
    one, other = sorted([draw(st.integers(least, 5)), draw(st.integers(least, 5))])
    has_habit = kind != "range" and draw(st.integers(0, 3)) == 0
    is_told = kind != "range" and not has_habit and take != "duration" and draw(st.booleans())
    last = draw(st.integers(1, 3))
    return Rule(
        kind=kind,
        take=take,
        promised=None if has_habit or is_told else (one, other if kind == "range" else one),
        tolerance=draw(st.sampled_from([0, 0.25, 0.5, 1])),
        exceeds_by=draw(st.sampled_from([None, 0.5, 1])) if kind in ("at_most", "at_least") else None,
        is_standing=draw(st.booleans()),
        window=draw(st.sampled_from([None, 2, 6])),
        closes=draw(st.booleans()),
        has_per=draw(st.booleans()),
        habit=(last, draw(st.integers(1, last))) if has_habit else None,
    )


@st.composite
def trails(draw: st.DrawFn, most: int = 14) -> list[Happening]:
    """Touchpoints of a few seconds, in trail order; several share an instant."""
    found = []
    for number in range(draw(st.integers(1, most))):
        kind = draw(st.sampled_from([*KINDS, TRIP, TRIP, STARTED, TRANSFERRED, SEEN]))
        data = {
            "consumption": draw(st.none() | FIGURES),
            "claimed": draw(st.none() | FIGURES),
            "call": draw(st.sampled_from([None, "a", "b"])),
        }
        found.append(Happening(draw(st.integers(0, 12)), f"e{number:02}", kind, tuple(data.items())))
    return sorted(found, key=lambda each: (each.time, each.name))


def map_of(rule: Rule) -> dict[str, Any]:
    """The map of a rule."""
    measure: dict[str, Any] = {"field": "data.consumption", "of": TRIP, "take": rule.take}
    if rule.take == "count":
        measure = {"count": TRANSFERRED}
    elif rule.take == "duration":
        measure = {"from": STARTED, "to": ANSWERED}
    promised: dict[str, Any] = {"field": "data.claimed"}
    if rule.habit is not None:
        promised = {"habit": {"last": rule.habit[0], "least": rule.habit[1]}}
    elif rule.promised is not None:
        low, high = rule.promised
        unit = {"unit": "s"} if rule.take == "duration" else {}
        promised = ({"from": low, "to": high} if rule.kind == "range" else {"value": low}) | unit
    return fuel(
        kind=rule.kind,
        made_by=None if rule.is_standing else SEEN,
        promised=promised,
        measure=measure,
        window=None if rule.window is None else f"{rule.window}s",
        closed_by=RETURNED if rule.closes else None,
        cancelled_by=REFUSED,
        tolerance=rule.tolerance,
        exceeds_by=rule.exceeds_by,
        per="data.call" if rule.has_per else None,
    )


def happens(story: Story, happening: Happening) -> None:
    when = str(moment(START + happening.time * SECOND).replace(tzinfo=None))
    data = {name: value for name, value in happening.data if value is not None}
    story.happens(when, happening.kind, name=happening.name, **data)


def told(story: Story) -> dict[str, tuple[str, float | None, float | None]]:
    """Opening touchpoint → (status, observed, gap) of its last revision, in which it was not withdrawn."""
    return {
        found.evidence[0].removeprefix("shop#"): (
            found.status,
            _rounded(found.detail.observed),
            _rounded(found.detail.gap),
        )
        for found in story.all("figure")
        if found.status != "withdrawn"
    }


def _rounded(figure: float | Fraction | None) -> float | None:
    return None if figure is None else round(float(figure), 9)


def expected(
    rule: Rule, trail: list[Happening], watermark: int
) -> dict[str, tuple[str, float | None, float | None]]:
    return {
        name: (status, _rounded(figure), _rounded(gap))
        for name, (status, figure, gap) in conclusions(rule, trail, watermark).items()
    }


def until(story: Story, second: int) -> None:
    story.until(str(moment(START + second * SECOND).replace(tzinfo=None))).quiet()


@settings(max_examples=examples(400), deadline=None)
@given(rules(), trails(), st.integers(0, 25))
def test_verdict_and_gap_are_those_of_brute_force(rule: Rule, trail: list[Happening], watermark: int) -> None:
    story = Story(map_of(rule))
    for happening in trail:
        happens(story, happening)
    until(story, watermark)
    assert told(story) == expected(rule, trail, watermark)


@settings(max_examples=examples(150), deadline=None)
@given(rules(), trails(), st.randoms(use_true_random=False), st.integers(13, 25))
def test_any_order_in_any_batches_ends_in_what_the_order_of_time_ends_in(
    rule: Rule, trail: list[Happening], random: Random, watermark: int
) -> None:
    coming = [*trail, *random.sample(trail, random.randint(0, len(trail)))]
    random.shuffle(coming)
    story = Story(map_of(rule), cache=Budget(random.choice([1, 1_000_000])))
    passed = 0
    for happening in coming:
        happens(story, happening)
        if random.random() < 0.3:
            passed = random.randint(passed, watermark)
            until(story, passed)
        if random.random() < 0.1:
            story.batch()
            story.open(map_of(rule))
    until(story, watermark)
    assert told(story) == expected(rule, trail, watermark)


@settings(max_examples=examples(150), deadline=None)
@given(rules(), trails(), st.randoms(use_true_random=False))
def test_revisions_count_up_from_zero_and_each_says_something_new(
    rule: Rule, trail: list[Happening], random: Random
) -> None:
    story = Story(map_of(rule))
    for happening in random.sample(trail, len(trail)):
        happens(story, happening)
        story.batch()
    until(story, 25)
    revisions: dict[str, list[Any]] = {}
    for finding in story.findings:
        revisions.setdefault(finding.finding_id, []).append(finding)
    for published in revisions.values():
        assert [finding.revision for finding in published] == list(range(len(published)))
        contents = [finding.model_dump(exclude={"revision", "detected_at"}) for finding in published]
        assert all(one != other for one, other in pairwise(contents))


@settings(max_examples=examples(600), deadline=None)
@given(rules(), trails(most=20))
def test_extending_a_fold_gives_what_refolding_gives(rule: Rule, trail: list[Happening]) -> None:
    story = Story(map_of(rule))
    [rules_of] = story.plan.journeys
    grown = open_journey(rules_of, "7")
    for entry in entries(story, trail):
        assert grown.add(entry) is not None
        refolded = open_journey(rules_of, "7")
        refolded.entries = list(grown.entries)
        refolded.refold()
        assert facts(refolded) == facts(grown)


@settings(max_examples=examples(600), deadline=None)
@given(rules(), trails(most=20), st.lists(st.integers(0, 19), min_size=1, max_size=3))
def test_a_cut_journey_goes_on_as_one_that_was_not_cut(
    rule: Rule, trail: list[Happening], cuts: list[int]
) -> None:
    story = Story(map_of(rule))
    [rules_of] = story.plan.journeys
    whole, based = open_journey(rules_of, "7"), open_journey(rules_of, "7")
    known = entries(story, trail)
    for entry in known:
        whole.add(entry)
        based.add(entry)
    for cut in sorted(cuts):
        assert based.cut(order(known[min(cut, len(known) - 1)])) == 0
        for _ in range(2):  # what a base says is not used up
            based.refold()
    assert still_open(based) == still_open(whole)


def entries(story: Story, trail: list[Happening]) -> list[Entry]:
    for happening in trail:
        happens(story, happening)
    arrived = [message.touchpoint.entry for message in story.pending]
    story.pending = []
    return sorted(arrived, key=order)


def facts(journey: Journey) -> Any:
    [fold] = journey.values
    return fold and (fold.habit, [(each.entry.id, each.promised, each.observed) for each in fold.makings])


def still_open(journey: Journey) -> Any:
    """What later touchpoints can change: the promises that are measured, and the habit."""
    [fold] = journey.values
    makings = (
        [(each.entry.id, each.promised, each.observed) for each in fold.makings if not each.observed.how]
        if fold
        else []
    )
    return makings, fold.habit if fold else []
