"""Touchpoints that turn out to be another person's: what moves, what is published of it, and by whom."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
from journey_world import ANSWERED, APPROVED, DELIVERED, PLACED, QUEUED, SHIPPED, SHOP, Story, at, plan_of, us

from pipeline.core import moves
from pipeline.core.messages import Carry, Entry, Origin, Parcel, Step, Steps
from pipeline.core.person import new_person
from pipeline.core.run import JOURNEYS, MemoryPipeline, RunConfig
from pipeline.core.tokens import Tokens, partition_of_person, person_of


def order_of(story: Story, value: str = "7") -> str:
    return story.token("order_id", value)


def arrive_by_order(story: Story, version: int = 1) -> Steps:
    """The way of a touchpoint that knows its order, which belongs to ann."""
    return ((order_of(story), version), (story.token("customer_id", "ann"), 0))


def onward(carry: Carry, *steps: Step) -> Parcel:
    """What identity makes of a parcel: by the identifier that was given up, now at version 1, and on by these steps."""
    origins = [type(o)((*o.steps, (carry.to, 1), *steps), o.born, o.moves) for o in carry.parcel.origins]
    return Parcel(origins, carry.parcel.entries, carry.parcel.clock, carry.parcel.forgotten)


def test_a_temporary_person_gives_up_everything_and_is_emptied() -> None:
    story = Story()
    order, ann = order_of(story), story.token("customer_id", "ann")
    temporary = person_of(order)
    story.happens("2026-03-01 09:00", PLACED, path=((order, 0),), due="2026-03-05 09:00")
    story.happens("2026-03-02 09:00", APPROVED, path=((order, 0),))
    story.batch().quiet()
    assert story.persons()[temporary].touchpoints == 2
    story.releases(order, 1, ann)
    story.batch().quiet()
    [carry] = story.carried
    # back to the order's partition, which knows whose it is now
    assert carry.to == order
    assert [(o.steps, o.born, o.moves) for o in carry.parcel.origins] == [((), temporary, 1)]
    assert [entry.type for entry in carry.parcel.entries] == [PLACED, APPROVED]
    assert (story.persons()[temporary].touchpoints, story.persons()[temporary].first_at) == (0, None)
    assert not [key for key in story.store if key.startswith((b"p", b"s", b"b", b"f"))]
    assert "withdrawn" not in story.told("delivery")


def test_the_receiver_numbers_the_revisions_on_and_tells_whose_the_touchpoints_are() -> None:
    story = Story()
    order, ann = order_of(story), story.token("customer_id", "ann")
    temporary = person_of(order)
    story.happens("2026-03-01 09:00", PLACED, path=((order, 0),), due="2026-03-05 09:00")
    story.until("2026-03-06 00:00").quiet()
    before = story.last("delivery")
    version = story.journeys()["7"].version
    story.releases(order, 1, ann)
    story.batch()
    story.receives(onward(story.carried[0], (ann, 0)), "ann")
    story.batch().quiet()
    after = story.last("delivery")
    assert (before.person_id, before.revision) == (temporary, 0)
    assert (after.person_id, after.revision, after.status) == (story.person(), 1, "broken")
    assert after.finding_id == before.finding_id
    assert story.journeys()["7"].person_id == story.person()
    assert story.journeys()["7"].version > version
    [override] = story.overrides()
    assert (override.born_person_id, override.identifier) == (temporary, order)
    assert (override.person_id, override.version) == (story.person(), 1)
    assert story.persons()[story.person()].identifiers == sorted([ann, order])


def test_what_arrived_and_was_released_within_one_batch_leaves_no_person_behind() -> None:
    story = Story()
    order, ann = order_of(story), story.token("customer_id", "ann")
    story.happens("2026-03-01 09:00", PLACED, path=((order, 0),), due="2026-03-05 09:00")
    story.releases(order, 1, ann)
    story.batch().quiet()
    assert (story.persons(), story.journeys(), story.findings) == ({}, {}, [])
    assert [touchpoint.person_id for touchpoint in story.enriched] == [person_of(order)]
    assert len(story.carried[0].parcel.entries) == 1


def test_a_person_gives_up_only_what_came_by_the_identifier_at_an_older_version() -> None:
    story = Story()
    order, bob = order_of(story), story.token("customer_id", "bob")
    story.happens("2026-03-01 09:00", PLACED, name="direct", due="2026-03-05 09:00")
    story.happens("2026-03-02 09:00", APPROVED, name="old", path=arrive_by_order(story, 1))
    story.happens("2026-03-03 09:00", DELIVERED, name="new", path=arrive_by_order(story, 2))
    story.batch()
    assert {found.status for found in story.all("approval")} == {"kept"}
    story.releases(order, 2, bob, customer="ann")
    story.until("2026-03-04 00:00").quiet()
    [carry] = story.carried
    assert [entry.id for entry in carry.parcel.entries] == ["old"]
    assert story.last("approval").status == "broken"
    assert story.last("delivery").status == "kept"
    assert story.persons()[story.person()].touchpoints == 2


def test_what_reaches_a_person_by_a_released_identifier_is_published_and_sent_on() -> None:
    story = Story()
    order, bob = order_of(story), story.token("customer_id", "bob")
    story.happens("2026-03-01 09:00", PLACED)
    story.releases(order, 2, bob, customer="ann")
    story.batch()
    story.open()
    story.happens("2026-03-02 09:00", SHIPPED, name="s", path=arrive_by_order(story, 1))
    story.batch()
    assert (story.enriched[-1].id, story.enriched[-1].person_id) == ("s", story.person())
    # its journey is known by its name, and its stages to the one that it goes to
    [journey] = story.enriched[-1].journeys
    assert (journey.journey_key, journey.stages) == ("7", [])
    [carry] = story.carried
    assert (carry.to, carry.parcel.origins[0].steps, carry.parcel.origins[0].moves) == (order, (), 1)
    story.happens("2026-03-03 09:00", SHIPPED, path=arrive_by_order(story, 2))
    assert len(story.batch().carried) == 1


def test_a_parcel_that_comes_by_a_released_identifier_is_sent_on_in_part() -> None:
    story = Story()
    order, parcel_id, ann = order_of(story), story.token("parcel_id", "p"), story.token("customer_id", "ann")
    bob = story.token("customer_id", "bob")
    sender = Story()
    sender.happens("2026-03-01 09:00", PLACED, name="1", path=[(order, 0), (parcel_id, 0)])
    sender.happens("2026-03-02 09:00", SHIPPED, name="2", path=((parcel_id, 0),))
    sender.releases(parcel_id, 1, ann)
    [carry] = sender.batch().carried
    story.happens("2026-03-01 08:00", PLACED, name="own")
    story.releases(order, 3, bob, customer="ann")
    story.receives(onward(carry, (ann, 0)), "ann")
    story.batch()
    assert [entry.id for entry in story.carried[0].parcel.entries] == ["1"]
    assert (story.carried[0].to, story.carried[0].parcel.origins[0].steps) == (order, ())
    assert story.carried[0].parcel.origins[0].moves == 2
    story.quiet()
    assert story.persons()[story.person()].touchpoints == 2


def test_a_finding_that_does_not_hold_in_the_receivers_journey_is_withdrawn_there() -> None:
    story = Story()
    order, ann = order_of(story), story.token("customer_id", "ann")
    story.happens("2026-03-05 09:00", SHIPPED, name="later", path=((order, 0),))
    story.happens("2026-03-02 09:00", SHIPPED, name="earlier")
    story.until("2026-04-01 00:00")
    assert [found.status for found in story.all("in_transit")] == ["opened", "opened"]
    story.releases(order, 1, ann)
    story.batch()
    story.receives(onward(story.carried[0], (ann, 0)), "ann")
    story.batch()
    assert {found.evidence[0]: (found.status, found.revision) for found in story.all("in_transit")} == {
        "shop#later": ("withdrawn", 1),
        "shop#earlier": ("opened", 0),
    }


def test_two_copies_of_a_touchpoint_that_meet_are_one_and_its_findings_are_published_once_more() -> None:
    story = Story()
    order, ann = order_of(story), story.token("customer_id", "ann")
    story.happens("2026-03-01 09:00", PLACED, name="p", path=((order, 0),), due="2026-03-05 09:00")
    story.happens("2026-03-01 09:00", PLACED, name="p", due="2026-03-05 09:00")
    story.batch()
    story.releases(order, 1, ann)
    story.batch()
    story.receives(onward(story.carried[0], (ann, 0)), "ann")
    story.batch().quiet()
    assert (story.last("delivery").revision, story.last("delivery").person_id) == (1, story.person())
    assert story.persons()[story.person()].touchpoints == 1
    assert story.stage.counts["reunited"] == 1


def test_of_two_copies_that_meet_the_smaller_digest_stays() -> None:
    story = Story()
    order, ann = order_of(story), story.token("customer_id", "ann")
    story.happens(
        "2026-03-01 09:00", PLACED, name="p", version="a", path=((order, 0),), due="2026-03-05 09:00"
    )
    story.happens("2026-03-01 09:00", PLACED, name="p", version="b", due="2026-03-09 09:00")
    story.releases(order, 1, ann)
    story.batch()
    story.receives(onward(story.carried[0], (ann, 0)), "ann")
    assert story.batch().last("delivery").detail.due_at == at("2026-03-05 09:00")


def test_a_touchpoint_that_waits_for_its_context_is_published_before_it_moves() -> None:
    story = Story()
    order, ann = order_of(story), story.token("customer_id", "ann")
    story.happens("2026-03-02 09:00", SHIPPED, path=((order, 0),))
    story.happens("2026-03-01 09:00", PLACED, path=((order, 0),))
    story.releases(order, 1, ann)
    story.batch()
    assert [touchpoint.type for touchpoint in story.enriched] == [SHIPPED, PLACED]
    assert {touchpoint.person_id for touchpoint in story.enriched} == {person_of(order)}


def test_a_long_trail_moves_in_parcels_of_at_most_64_touchpoints() -> None:
    story = Story()
    order, ann = order_of(story), story.token("customer_id", "ann")
    for minute in range(150):
        story.happens(f"2026-03-01 {9 + minute // 60:02}:{minute % 60:02}", SHIPPED, path=((order, 0),))
    story.releases(order, 1, ann)
    story.batch()
    sizes = [len(carry.parcel.entries) for carry in story.carried]
    assert sum(sizes) == 150
    assert max(sizes) <= 64
    for carry in story.carried:
        story.receives(onward(carry, (ann, 0)), "ann")
    story.batch().quiet()
    assert story.persons()[story.person()].touchpoints == 150
    assert story.journeys()["7"].touchpoints == 150


def test_parcels_stay_small_however_large_the_touchpoints_are() -> None:
    shop = copy.deepcopy(SHOP)
    met_by = [{"type": DELIVERED, "where": {"data.note": "x"}}]
    shop["journeys"]["order"]["promises"]["delivery"]["met_by"] = met_by
    story = Story(shop)
    order, ann = order_of(story), story.token("customer_id", "ann")
    for minute in range(12):
        story.happens(f"2026-03-01 09:{minute:02}", DELIVERED, path=((order, 0),), note=str(minute) * 30_000)
    story.releases(order, 1, ann)
    story.batch()
    assert sum(len(carry.parcel.entries) for carry in story.carried) == 12
    assert max(len(msgspec.msgpack.encode(carry)) for carry in story.carried) < 140_000


def test_a_diverted_parcel_leaves_each_touchpoint_with_its_own_origin() -> None:
    """Two ways on and one that stays: no part may be cut from entries that another part has renumbered."""
    person = new_person(person_of(Tokens("a test's key", {}).token("customer_id", "ann")))
    person.marks = {"order_id:k": (2, "customer_id:bob"), "order_id:l": (2, "customer_id:eve")}
    before = ("parcel_id:p", 1)
    ways: list[Steps] = [(before, (f"order_id:{name}", 1)) for name in "okl"]
    origins = [Origin(way, "born", number) for number, way in enumerate(ways)]
    entries = [Entry(n, "", "shop", str(n), SHIPPED, b"", {}, n % 3, ()) for n in range(6)]
    forgotten = [(b"o", 0), (b"k", 1), (b"l", 2)]
    stays, diverted = moves.divert(person, Parcel(origins, entries, 0, forgotten))
    parts = {"stays": stays, **dict(diverted)}
    assert {
        name: [(entry.id, part.origins[entry.path].steps) for entry in part.entries]
        for name, part in parts.items()
    } == {
        "stays": [("0", ways[0]), ("3", ways[0])],
        "order_id:k": [("1", (before,)), ("4", (before,))],
        "order_id:l": [("2", (before,)), ("5", (before,))],
    }
    assert {name: part.forgotten for name, part in parts.items()} == {
        "stays": [(b"o", 0)],
        "order_id:k": [(b"k", 0)],
        "order_id:l": [(b"l", 0)],
    }


def test_a_parcel_of_two_origins_that_meets_a_mark_on_its_way_is_parted_between_two_persons() -> None:
    """An order's trail moves to ann while the parcel that brought part of it turns out to be bob's."""
    plan = plan_of(SHOP)
    pipeline = MemoryPipeline(plan, RunConfig("a test's key", us("2026-06-01 00:00"), partitions=8))
    tokens = Tokens("a test's key", plan.kinds)
    owned = {"order_id": "O"}
    held = (JOURNEYS, partition_of_person(person_of(tokens.token("order_id", "O")), 8))

    def feed(name: str, when: str, identities: dict[str, str]) -> None:
        event: dict[str, Any] = {"specversion": "1.0", "id": name, "source": "shop", "type": QUEUED}
        event |= {"time": at(when).isoformat(), "identities": identities}
        pipeline.feed("service", msgspec.json.encode(event))

    def work_elsewhere() -> None:
        while others := [queue for queue in pipeline.waiting() if queue != held]:
            for queue in others:
                pipeline.step(queue, 999)

    feed("1", "2026-03-01 10:00", {"parcel_id": "P", **owned})
    pipeline.drain()
    feed("2", "2026-03-01 11:00", {"parcel_id": "P"})
    pipeline.drain()
    feed("3", "2026-03-01 12:00", {"customer_id": "ann", **owned})
    work_elsewhere()
    feed("4", "2026-03-01 05:00", {"customer_id": "bob", "parcel_id": "P"})
    work_elsewhere()
    pipeline.drain()
    states = [msgspec.json.decode(value) for value in pipeline.published.states.values()]
    sizes = {state["person_id"]: state["touchpoints"] for state in states if state["kind"] == "person"}
    persons = [person_of(tokens.token("customer_id", customer)) for customer in ("ann", "bob")]
    assert [sizes[person] for person in persons] == [2, 2]
    assert sum(sizes.values()) == 4


def test_of_two_contents_that_meet_the_losers_finding_is_withdrawn_whichever_comes_by_the_move() -> None:
    for moved, stayed in (("a", "b"), ("b", "a")):
        story = Story()
        order, ann = order_of(story), story.token("customer_id", "ann")
        for version, way in ((moved, [(order, 0)]), (stayed, [(ann, 0)])):
            key = {"a": "7", "b": "8"}[version]
            story.happens(
                "2026-03-01 09:00",
                PLACED,
                name="p",
                order=key,
                version=version,
                path=way,
                due="2026-03-05 09:00",
            )
        story.until("2026-03-09 00:00")
        assert len(story.all("delivery")) == 2
        story.releases(order, 1, ann)
        story.batch()
        story.receives(onward(story.carried[0], (ann, 0)), "ann")
        story.batch().quiet()
        assert {found.journey_key: found.status for found in story.all("delivery")} == {
            "7": "broken",
            "8": "withdrawn",
        }
        assert {key: state.status for key, state in story.journeys().items()} == {
            "7": "open",
            "8": "withdrawn",
        }


def clash_and_move(kind: str, *, with_another: bool) -> Story:
    """A touchpoint of order 8 is displaced by a smaller content of order 7, and all of it moves at once."""
    story = Story()
    order, ann = order_of(story), story.token("customer_id", "ann")
    way: Steps = ((order, 0),)
    if with_another:
        story.happens("2026-03-01 08:00", ANSWERED, order="8", path=way)
    data = {"due": "2026-03-05 09:00"}
    story.happens("2026-03-01 09:00", kind, name="p", order="8", version="b", path=way, **data)
    story.until("2026-03-09 00:00").quiet()
    story.happens("2026-03-01 09:00", kind, name="p", order="7", version="a", path=way, **data)
    story.releases(order, 1, ann)
    story.batch()
    for carry in story.carried:
        story.receives(onward(carry, (ann, 0)), "ann")
    return story.batch().quiet()


def test_what_a_smaller_content_displaced_is_withdrawn_though_its_person_gives_up_all_in_the_batch() -> None:
    story = clash_and_move(PLACED, with_another=True)
    assert {found.journey_key: found.status for found in story.all("delivery")} == {
        "7": "broken",
        "8": "withdrawn",
    }


def test_a_journey_that_a_clash_emptied_is_withdrawn_though_its_person_gives_up_all_in_the_batch() -> None:
    story = clash_and_move(ANSWERED, with_another=False)
    assert {key: state.status for key, state in story.journeys().items()} == {"7": "open", "8": "withdrawn"}
