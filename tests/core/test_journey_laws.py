"""Laws of the journey stage: only the set of touchpoints decides, wherever and in whatever order they come."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from journey_oracle import HOUR, Happening, conclusions, distinct
from journey_world import (
    ANSWERED,
    APPROVED,
    CALLED_OFF,
    DELIVERED,
    PLACED,
    QUEUED,
    REVIEWED,
    SHIPPED,
    SHOP,
    Story,
    event_json,
    plan_of,
    us,
)
from laws import examples

from pipeline.core.budget import Budget
from pipeline.core.instants import moment
from pipeline.core.journey import open_journey, order
from pipeline.core.messages import Arrive, Entry, JourneyMark, Origin, Parcel, Steps, Touchpoint
from pipeline.core.moves import divert
from pipeline.core.person import new_person
from pipeline.core.run import JOURNEYS, MemoryPipeline, RunConfig

START = us("2026-03-01 00:00")
DAY = 24 * HOUR
LOOKED_AT = "sales.order.looked_at"
"""Does nothing: the map does not know it."""
KINDS = [PLACED, CALLED_OFF, APPROVED, SHIPPED, DELIVERED, QUEUED, ANSWERED, REVIEWED, LOOKED_AT]
PLAN = plan_of(SHOP)


@st.composite
def happenings(draw: st.DrawFn, most: int = 14) -> list[Happening]:
    """Touchpoints of two customers' orders over 40 days; some share an instant, some an id."""
    found = []
    for number in range(draw(st.integers(1, most))):
        time = START + draw(
            st.sampled_from([0, 1, HOUR, 2 * HOUR, DAY, 5 * DAY, 14 * DAY, 20 * DAY, 40 * DAY])
        )
        order = draw(st.sampled_from(["7", "8"]))
        found.append(
            Happening(
                time=time,
                sequence=draw(st.sampled_from(["", "1", "2"])),
                name=f"e{number}",
                kind=draw(st.sampled_from(KINDS)),
                order=order,
                customer={"7": "ann", "8": "bob"}[order],
                due=draw(st.sampled_from([None, time - DAY, time, time + 5 * DAY, START + 14 * DAY])),
                digest=draw(st.integers(0, 3)),
            )
        )
    return found


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[Happening], list[Happening]]:
    """A set of touchpoints, some of them with two contents, and one order in which they come, some of them
    twice.
    """
    told = draw(happenings())
    others = [_changed(other, draw(st.booleans())) for other in told if draw(st.booleans())]
    everything = [*told, *others]
    again = draw(st.lists(st.sampled_from(everything), max_size=6))
    return everything, draw(st.permutations([*everything, *again]))


def _changed(happening: Happening, is_another_kind: bool) -> Happening:
    """Another content under the same id."""
    kind = KINDS[(KINDS.index(happening.kind) + is_another_kind) % len(KINDS)]
    return Happening(
        happening.time + HOUR,
        happening.sequence,
        happening.name,
        kind,
        happening.order,
        happening.customer,
        happening.due,
        happening.digest + 1,
    )


def touchpoint_of(happening: Happening) -> Touchpoint:
    fields: dict[str, Any] = {"identities.order_id": happening.order}
    if happening.kind == PLACED and happening.due is not None:
        fields["data.due"] = happening.due
    return Touchpoint(
        Entry(
            happening.time,
            happening.sequence,
            "shop",
            happening.name,
            happening.kind,
            bytes([happening.digest]),
            fields,
        ),
        event_json(happening.name, happening.kind, happening.time, {"order_id": happening.order}, b"null"),
    )


def told(story: Story) -> dict[tuple[str, str, str], tuple[Any, ...]]:
    """(rule, order, opening touchpoint) → the last status and what settled it."""
    last = {finding.finding_id: finding for finding in story.findings}
    return {
        (found.rule, found.journey_key, found.evidence[0].removeprefix("shop#")): (
            found.status,
            *[name.removeprefix("shop#") for name in found.evidence[1:]],
        )
        for found in last.values()
        if found.status != "withdrawn"
    }


def tell(story: Story, order: list[Happening], random: Random, watermark: int) -> None:
    """Let the touchpoints arrive in this order, with batches, time and restarts anywhere between them."""
    for happening in order:
        token = story.token("customer_id", happening.customer)
        story.say(Arrive(story.person(happening.customer), ((token, 0),), touchpoint_of(happening)))
        if random.random() < 0.3:
            story.batch()
        if random.random() < 0.2:
            story.until(str(moment(START + random.randrange(watermark - START)).replace(tzinfo=None)))
        if random.random() < 0.1:
            story.batch()
            story.open()
    story.say(JourneyMark("identity/0", watermark))
    story.batch().quiet()


@settings(max_examples=examples(300), deadline=None)
@given(
    arrivals(), st.randoms(use_true_random=False), st.sampled_from([1, 3 * HOUR, 4 * DAY, 15 * DAY, 60 * DAY])
)
def test_the_last_revisions_are_those_of_the_set_whatever_the_order(
    drawn: tuple[list[Happening], list[Happening]], random: Random, passed: int
) -> None:
    everything, order = drawn
    # time has passed everything, so that no earlier moment of it can show
    watermark = max(happening.time for happening in everything) + passed
    story = Story(cache=Budget(1 if random.random() < 0.5 else 1_000_000))
    tell(story, order, random, watermark)
    assert told(story) == conclusions(everything, watermark)
    kept = distinct(everything)
    assert {
        key: state.touchpoints for key, state in story.journeys().items() if state.status != "withdrawn"
    } == {order: sum(other.order == order for other in kept) for order in {other.order for other in kept}}


@settings(max_examples=examples(200), deadline=None)
@given(arrivals(), st.randoms(use_true_random=False))
def test_revisions_count_up_from_zero_and_each_says_something_new(
    drawn: tuple[list[Happening], list[Happening]], random: Random
) -> None:
    story = Story()
    tell(story, drawn[1], random, START + 90 * DAY)
    revisions: dict[str, list[Any]] = {}
    for finding in story.findings:
        revisions.setdefault(finding.finding_id, []).append(finding)
    for published in revisions.values():
        assert [finding.revision for finding in published] == list(range(len(published)))
        contents = [finding.model_dump(exclude={"revision", "detected_at"}) for finding in published]
        assert all(one != other for one, other in pairwise(contents))


@settings(max_examples=examples(200), deadline=None)
@given(arrivals(), st.randoms(use_true_random=False))
def test_whoever_keeps_a_finding_under_the_time_of_its_opening_keeps_it_once(
    drawn: tuple[list[Happening], list[Happening]], random: Random
) -> None:
    """Another content of a touchpoint may say another time, which tables are sorted by: what they have is withdrawn."""
    story = Story()
    tell(story, drawn[1], random, START + 90 * DAY)
    rows = {(finding.finding_id, _opened(finding)): finding.status for finding in story.findings}
    last = {finding.finding_id: finding for finding in story.findings}
    assert {row: status for row, status in rows.items() if status != "withdrawn"} == {
        (name, _opened(finding)): finding.status
        for name, finding in last.items()
        if finding.status != "withdrawn"
    }


def _opened(finding: Any) -> Any:
    return finding.detail.entered_at if finding.type == "stall" else finding.detail.made_at


@settings(max_examples=examples(300), deadline=None)
@given(happenings(most=20))
def test_extending_a_fold_gives_what_refolding_gives(drawn: list[Happening]) -> None:
    [rules] = PLAN.journeys
    grown = open_journey(rules, "7")
    for happening in distinct(drawn):
        if grown.is_stale:
            grown.refold()
        assert grown.add(_entry(touchpoint_of(happening))) is not None
        refolded = open_journey(rules, "7")
        refolded.entries = list(grown.entries)
        refolded.refold()
        assert _facts(refolded) == _facts(grown)


@settings(max_examples=examples(200), deadline=None)
@given(happenings(most=20), st.integers(0, 12), st.randoms(use_true_random=False))
def test_what_does_nothing_in_a_journey_comes_and_goes_anywhere_without_a_refold(
    drawn: list[Happening], cut: int, random: Random
) -> None:
    entries = [_entry(touchpoint_of(happening)) for happening in distinct(drawn)]
    [rules] = PLAN.journeys
    journey = open_journey(rules, "7")
    for entry in entries:
        if entry.type != LOOKED_AT:
            journey.add(entry)
    journey.refold()
    if 0 < cut < len(journey.entries):
        journey.cut(order(journey.entries[cut - 1]))
    begins = order(journey.entries[0]) if journey.base else None
    acting = list(journey.entries)
    idle = [each for each in entries if each.type == LOOKED_AT and (begins is None or order(each) > begins)]
    before = _facts(journey)
    for entry in random.sample(idle, len(idle)):
        passage = journey.add(entry)
        assert not journey.is_stale
        refolded = open_journey(rules, "7", journey.base)
        refolded.entries = list(journey.entries)
        assert passage == refolded.refold({(entry.source, entry.id)})[entry.source, entry.id]
    assert journey.entries == sorted([*acting, *idle], key=order)
    for entry in random.sample(idle, len(idle)):
        journey.remove(entry)
    assert (journey.is_stale, journey.entries, _facts(journey)) == (False, acting, before)


def _facts(journey: Any) -> Any:
    promises = [
        fold
        and (
            [making.entry.id for making in fold.makings],
            fold.common.met and fold.common.met.id,
            fold.common.cancelled,
        )
        for fold in journey.promises
    ]
    stages = [
        fold
        and (
            fold.inside and fold.inside.entry.id,
            [(visit.entry.id, visit.left.id) for visit in fold.ended],
            fold.is_over,
        )
        for fold in journey.stages
    ]
    return promises, stages, journey.ended_at, journey.where


@settings(max_examples=examples(100), deadline=None)
@given(happenings(most=40), st.integers(1, 20))
def test_a_refold_from_a_base_goes_on_where_the_cut_part_ended(drawn: list[Happening], cut: int) -> None:
    [rules] = PLAN.journeys
    trail = [_entry(touchpoint_of(happening)) for happening in distinct(drawn) if happening.order == "7"]
    whole, based = open_journey(rules, "7"), open_journey(rules, "7")
    for entry in trail:
        whole.add(entry)
        based.add(entry)
    whole.refold()
    if len(trail) > cut:
        based.cut((trail[cut - 1].time, trail[cut - 1].sequence, "shop", trail[cut - 1].id))
        based.refold()
        assert (based.touchpoints, based.opened_at, based.last_at) == (
            whole.touchpoints,
            whole.opened_at,
            whole.last_at,
        )
        assert (based.ended_at, based.where) == (whole.ended_at, whole.where)
        for mine, theirs in zip(based.promises, whole.promises, strict=True):
            assert (mine and mine.common.met) == (theirs and theirs.common.met)


def _entry(touchpoint: Touchpoint) -> Entry:
    return msgspec.structs.replace(touchpoint.entry, digest=b"")


_tokens = st.sampled_from(["order_id:a", "order_id:b", "parcel_id:c", "parcel_id:d"])
_ways = st.lists(
    st.tuples(_tokens, st.integers(0, 3)), min_size=1, max_size=3, unique_by=lambda step: step[0]
).map(tuple)


@settings(max_examples=examples(200), deadline=None)
@given(
    st.lists(_ways, min_size=1, max_size=4),
    st.dictionaries(_tokens, st.tuples(st.integers(1, 3), st.just("customer_id:bob"))),
    st.lists(st.integers(0, 3), max_size=8),
)
def test_a_parcel_that_meets_marks_is_parted_without_loss_and_each_touchpoint_keeps_its_origin(
    ways: list[Steps], marks: dict[str, tuple[int, str]], paths: list[int]
) -> None:
    person = new_person("c8722a00-0000-8000-8000-000000000000")
    person.marks = marks
    origins = [Origin(way, f"born {number}", 0) for number, way in enumerate(ways)]
    places = [path % len(ways) for path in paths]
    entries = [Entry(n, "", "shop", str(n), SHIPPED, b"", {}, place, ()) for n, place in enumerate(places)]
    forgotten = [(bytes([number]), place) for number, place in enumerate(places)]
    stays, diverted = divert(person, Parcel(origins, entries, 0, forgotten))
    parts = [stays, *(part for _, part in diverted)]
    born = {str(number): f"born {place}" for number, place in enumerate(places)}
    found = [(entry.id, part.origins[entry.path].born) for part in parts for entry in part.entries]
    assert sorted(found) == sorted(born.items())
    digests = [
        (str(digest[0]), part.origins[place].born) for part in parts for digest, place in part.forgotten
    ]
    assert sorted(digests) == sorted(born.items())
    assert all(person.released(origin.steps) is None for part in parts for origin in part.origins)


# -- through all stages


CONFIG = RunConfig(identity_key="a test's key", now=START + 400 * DAY, partitions=3)


@st.composite
def events(draw: st.DrawFn) -> list[dict[str, Any]]:
    """CloudEvents of two customers; most know only an order or a parcel, and few say whose these are."""
    found = []
    for number in range(draw(st.integers(1, 16))):
        time = moment(START + draw(st.integers(0, 40)) * DAY // 2)
        known = draw(
            st.sampled_from(
                [
                    {"order_id": "7"},
                    {"order_id": "8"},
                    {"parcel_id": "p"},
                    {"parcel_id": "p", "order_id": "7"},
                    {"parcel_id": "q", "order_id": "8"},
                    {"order_id": "7", "customer_id": "ann"},
                    {"order_id": "8", "customer_id": "ann"},
                    {"order_id": "8", "customer_id": "bob"},
                    {"customer_id": "bob"},
                ]
            )
        )
        found.append(
            {
                "specversion": "1.0",
                "id": f"e{number}",
                "source": "shop",
                "type": draw(st.sampled_from(KINDS)),
                "time": time.isoformat(),
                "identities": known,
                "data": {"due": "2026-03-08T00:00:00Z"},
            }
        )
    return found


def flow(told: list[dict[str, Any]], random: Random, partitions: int) -> MemoryPipeline:
    """All partitions work in any order, a few records at a time, and are opened anew now and then."""
    config = RunConfig(**{**vars(CONFIG), "partitions": partitions})
    pipeline = MemoryPipeline(PLAN, config, keeps_enriched=True)
    for event in told:
        pipeline.feed(event["type"].split(".")[0], msgspec.json.encode(event))
        while random.random() < 0.5 and (waiting := pipeline.waiting()):
            _step(pipeline, random.choice(waiting), random)
    while waiting := pipeline.waiting():
        _step(pipeline, random.choice(waiting), random)
    pipeline.drain()
    pipeline.tick(START + 60 * DAY)
    pipeline.drain()
    return pipeline


def _step(pipeline: MemoryPipeline, queue: tuple[str, int], random: Random) -> None:
    pipeline.step(queue, random.randint(1, 4))
    if queue[0] == JOURNEYS and random.random() < 0.1:
        pipeline.restart(queue)


def contents(pipeline: MemoryPipeline, contested: set[str]) -> tuple[Any, ...]:
    """What has to be equal: the last of every finding, journey and person, less what may differ.

    Orders on which two customers are named directly are `contested`: both have a journey of that name.
    """
    may_differ = {"revision", "detected_at", "version"}
    findings = [msgspec.json.decode(value) for value in pipeline.published.findings.values()]
    states = [msgspec.json.decode(value) for value in pipeline.published.states.values()]
    return tuple(
        sorted(
            msgspec.json.encode({name: value for name, value in record.items() if name not in may_differ})
            for record in records
        )
        for records in (
            [finding for finding in findings if finding["status"] != "withdrawn"],
            [
                state
                for state in states
                if state["kind"] == "journey"
                and state["status"] != "withdrawn"
                and state["journey_key"] not in contested
            ],
            [state for state in states if state["kind"] == "person" and state["touchpoints"]],
        )
    )


@settings(max_examples=examples(120), deadline=None)
@given(events(), st.randoms(use_true_random=False))
def test_any_order_over_any_partitions_ends_in_the_same_findings_journeys_and_persons(
    drawn: list[dict[str, Any]], random: Random
) -> None:
    expected = flow(drawn, Random(0), 1)
    shuffled = [*drawn, *random.sample(drawn, random.randint(0, len(drawn)))]
    random.shuffle(shuffled)
    named = {(event["identities"].get("order_id"), event["identities"].get("customer_id")) for event in drawn}
    contested = {"8"} if {("8", "ann"), ("8", "bob")} <= named else set()
    assert contents(flow(shuffled, random, 3), contested) == contents(expected, contested)


@settings(max_examples=examples(120), deadline=None)
@given(events(), st.randoms(use_true_random=False))
def test_overrides_name_the_person_that_holds_what_was_published_under_another(
    drawn: list[dict[str, Any]], random: Random
) -> None:
    random.shuffle(drawn)
    pipeline = flow(drawn, random, 3)
    states = [msgspec.json.decode(value) for value in pipeline.published.states.values()]
    overrides = {
        (state["born_person_id"], state["identifier"]): state["person_id"]
        for state in states
        if state["kind"] == "override"
    }
    sizes = {state["person_id"]: state["touchpoints"] for state in states if state["kind"] == "person"}
    homes: dict[str, int] = {}
    for value in pipeline.published.enriched:
        touchpoint = msgspec.json.decode(value)
        born = touchpoint["person_id"]
        home = overrides.get((born, touchpoint["identifier"]), born)
        homes[home] = homes.get(home, 0) + 1
    assert homes == {person: size for person, size in sizes.items() if size}
