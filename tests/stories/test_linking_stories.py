"""One person by several identifiers: who is joined, who is kept apart, and how it is undone."""

from __future__ import annotations

import random
from collections.abc import Iterable

import msgspec
import pytest
from journey_world import at

from pipeline.core.instants import micros
from pipeline.core.plan import Plan, compile_plan
from pipeline.core.run import JOURNEYS, MemoryPipeline, RunConfig
from schemas.journey_map import JourneyMap

NOW = micros(at("2026-06-01 00:00"))
SHOP = {
    "name": "shop",
    "title": "Shop",
    "identifiers": {
        "customer_id": {"kind": "personal", "strength": 900, "unique": True},
        "email": {"kind": "personal", "strength": 700, "case_sensitive": False, "most_per_person": 2},
        "cookie": {"kind": "personal", "strength": 300, "most_links": 3},
        "order_id": {"kind": "reference", "strength": 500},
    },
    "touchpoints": {
        "marketing.page.viewed": {"owner": "web"},
        "sales.order.placed": {"owner": "sales"},
        "fulfilment.parcel.delivered": {"owner": "carriers"},
    },
    "journeys": {
        "order": {
            "title": "Order",
            "key": "data.order",
            "promises": {
                "delivery": {
                    "title": "Delivery",
                    "made_by": [{"type": "sales.order.placed"}],
                    "due": {"field": "data.due"},
                    "met_by": [{"type": "fulfilment.parcel.delivered"}],
                    "owed_by": "carriers",
                }
            },
            "stages": {},
        }
    },
}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return compile_plan(JourneyMap.model_validate(SHOP))


class Said:
    """What the pipeline has published, by name: who holds which touchpoints, and the findings."""

    def __init__(self, plan: Plan, events: Iterable[bytes], partitions: int = 3, batch: int = 2) -> None:
        config = RunConfig("a test's key", NOW, partitions=partitions)
        pipeline = MemoryPipeline(plan, config)
        coming = list(events)
        while coming:
            for event in coming[:batch]:
                pipeline.feed(msgspec.json.decode(event)["type"].partition(".")[0], event)
            del coming[:batch]
            pipeline.work()
        pipeline.tick(NOW)
        pipeline.drain()
        self.dead_letters = pipeline.published.dead_letters
        states = [msgspec.json.decode(value) for value in pipeline.published.states.values()]
        self.persons = sorted(
            state["touchpoints"] for state in states if state["kind"] == "person" and state["touchpoints"]
        )
        self.findings = [msgspec.json.decode(value) for value in pipeline.published.findings.values()]
        self.people = {
            state["person_id"]: state["touchpoints"] for state in states if state["kind"] == "person"
        }


def event(time: str, kind: str, identities: dict[str, str], **data: object) -> bytes:
    name = f"{time} {kind} {sorted(identities.items())}"
    domain = {"viewed": "marketing.page", "placed": "sales.order", "delivered": "fulfilment.parcel"}.get(kind)
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": name,
            "source": "shop",
            "type": f"{domain}.{kind}" if domain else f"service.identity.{kind}",
            "time": at(f"2026-05-{time}"),
            "identities": identities,
            "data": data,
        }
    )


def viewed(time: str, **identities: str) -> bytes:
    return event(time, "viewed", identities)


def test_what_was_done_before_logging_in_belongs_to_the_customer(plan: Plan) -> None:
    said = Said(plan, [viewed("01 09:00", cookie="k"), viewed("01 09:05", cookie="k", customer_id="ann")])
    assert said.persons == [2]


def test_a_promise_to_the_cookie_becomes_one_to_the_customer_and_is_numbered_on(plan: Plan) -> None:
    placed = event(
        "01 09:00", "placed", {"cookie": "k", "order_id": "7"}, order="7", due="2026-05-03T00:00:00Z"
    )
    alone = Said(plan, [placed])
    joined = Said(plan, [placed, viewed("02 09:00", cookie="k", customer_id="ann")], batch=1)
    (before,), (after,) = alone.findings, joined.findings
    assert after["status"] == before["status"] == "broken"
    assert after["finding_id"] == before["finding_id"]
    assert after["person_id"] != before["person_id"]
    assert joined.people[after["person_id"]] == 2


def test_two_open_journeys_with_one_key_become_one_in_the_order_of_time(plan: Plan) -> None:
    said = Said(
        plan,
        [
            event("01 09:00", "placed", {"customer_id": "ann"}, order="7", due="2026-05-05T00:00:00Z"),
            event("04 09:00", "delivered", {"cookie": "k"}, order="7"),
            viewed("06 09:00", cookie="k", customer_id="ann"),
        ],
        batch=1,
    )
    (promise,) = said.findings
    assert promise["status"] == "kept"


def test_two_customers_on_one_device_stay_two_and_the_device_is_the_firsts(plan: Plan) -> None:
    said = Said(
        plan,
        [
            viewed("01 09:00", cookie="k", customer_id="ann"),
            viewed("02 09:00", cookie="k", customer_id="bert"),
            viewed("03 09:00", cookie="k"),
        ],
    )
    assert said.persons == [1, 2]


def test_a_blocked_value_is_nobody(plan: Plan) -> None:
    said = Said(
        plan,
        [viewed("01 09:00", email="Unknown", cookie="k"), viewed("02 09:00", email="unknown", cookie="l")],
    )
    assert said.persons == [1, 1]
    assert [len(said.dead_letters) for said in [Said(plan, [viewed("01 09:00", email="null")])]] == [1]


def test_unlinking_gives_each_its_own_and_a_later_link_does_not_undo_it(plan: Plan) -> None:
    shared = [
        viewed("01 09:00", cookie="k"),
        viewed("01 09:05", cookie="k", email="a@b.c"),
        event("02 09:00", "placed", {"cookie": "k"}, order="7", due="2026-05-03T00:00:00Z"),
    ]
    apart = event("10 09:00", "unlinked", {"cookie": "k", "email": "a@b.c"}, reason="a family's computer")
    later = viewed("11 09:00", cookie="k", email="a@b.c")
    assert Said(plan, shared).persons == [3]
    # whatever names the address is its own, what only the cookie has done is the cookie's
    assert Said(plan, [*shared, apart]).persons == [2, 2]
    assert Said(plan, [*shared, apart, later]).persons == [2, 3]
    imported = event("11 09:00", "imported", {"cookie": "k", "email": "a@b.c"})
    assert Said(plan, [*shared, apart, imported]).persons == [2, 3]
    again = event("12 09:00", "linked", {"cookie": "k", "email": "a@b.c"})
    assert Said(plan, [*shared, apart, later, again]).persons == [6]


@pytest.mark.parametrize("batch", [1, 9])
def test_a_link_that_was_undone_leaves_the_findings_and_persons_of_a_run_without_it(
    plan: Plan, batch: int
) -> None:
    due = "2026-05-06T00:00:00Z"
    hers = event("01 09:00", "placed", {"customer_id": "ann"}, order="7", due=due)
    his = event("01 10:00", "placed", {"cookie": "k"}, order="7", due=due)
    known = viewed("01 11:00", email="a@b.c", cookie="k")
    delivered = event("04 09:00", "delivered", {"email": "a@b.c"}, order="7")
    linked = event("02 09:00", "linked", {"customer_id": "ann", "email": "a@b.c"})
    parted = event("05 09:00", "unlinked", {"customer_id": "ann", "email": "a@b.c"})
    without = Said(plan, [hers, his, known, delivered], batch=batch)
    undone = Said(plan, [hers, his, known, linked, delivered, parted], batch=batch)
    assert sorted(finding["status"] for finding in without.findings) == ["broken", "kept"]
    assert _contents(Said(plan, [hers, his, known, linked, delivered])) != _contents(without)
    assert _live(undone) == _live(without)
    assert without.persons == [1, 3]
    assert undone.persons == [3, 3], "hers is one, and the two words"


class SlowJourneys:
    """Everything but the journeys works at once; they when they are told to. So a touchpoint's second copy overtakes it."""

    def __init__(self, plan: Plan) -> None:
        self.pipeline = MemoryPipeline(plan, RunConfig("a test's key", NOW), keeps_enriched=True)

    def say(self, *events: bytes) -> SlowJourneys:
        for each in events:
            self.pipeline.feed(msgspec.json.decode(each)["type"].partition(".")[0], each)
            while waiting := [queue for queue in self.pipeline.waiting() if queue[0] != JOURNEYS]:
                self.pipeline.step(waiting[0], 1)
        return self

    def work(self) -> SlowJourneys:
        self.pipeline.drain()
        return self

    def homes(self, copy: bytes) -> list[str]:
        """The person of today of each published copy."""
        published = self.pipeline.published
        overrides = {
            (state["born_person_id"], state["identifier"]): state["person_id"]
            for state in map(msgspec.json.decode, published.states.values())
            if state["kind"] == "override"
        }
        name = msgspec.json.decode(copy)["id"]
        copies = [each for each in map(msgspec.json.decode, published.enriched) if each["id"] == name]
        return [overrides.get((each["person_id"], each["identifier"]), each["person_id"]) for each in copies]


def test_two_copies_that_were_published_under_two_persons_are_both_the_persons_of_today(plan: Plan) -> None:
    copy = viewed("01 09:00", cookie="k")
    both = viewed("01 09:05", cookie="k", email="a@b.c")
    told = SlowJourneys(plan).say(copy).work()
    (cookies,) = told.homes(copy)
    # the second comes to the address's person before the first has moved there
    told.say(both, copy).work()
    assert told.pipeline.counts(JOURNEYS)["reunited"] == 1
    (addresses,) = set(told.homes(copy))
    assert addresses == told.homes(both)[0] != cookies
    told.say(event("10 09:00", "unlinked", {"cookie": "k", "email": "a@b.c"})).work()
    assert told.homes(copy) == [cookies, cookies]


def test_of_two_copies_of_one_person_the_one_that_has_moved_more_often_numbers_the_moves(plan: Plan) -> None:
    copy = viewed("01 09:00", cookie="k")
    both = viewed("01 09:05", cookie="k", email="a@b.c")
    told = SlowJourneys(plan).say(copy).work().say(both).work()
    # the second comes to the cookie's own person before the first is back there
    told.say(event("10 09:00", "unlinked", {"cookie": "k", "email": "a@b.c"}), copy).work()
    assert told.pipeline.counts(JOURNEYS)["reunited"] == 1
    told.say(event("11 09:00", "linked", {"cookie": "k", "email": "a@b.c"})).work()
    assert told.homes(copy) == 2 * told.homes(both)


def test_two_of_one_kind_are_linked_by_naming_the_other(plan: Plan) -> None:
    one, two = viewed("01 09:00", email="a@b.c"), viewed("01 09:01", email="d@e.f")
    linked = event("02 09:00", "linked", {"email": "a@b.c"}, other={"kind": "email", "value": "D@e.f"})
    assert Said(plan, [one, two]).persons == [1, 1]
    assert Said(plan, [one, two, linked]).persons == [3]


@pytest.mark.parametrize(
    ("identities", "data", "said"),
    [
        ({"email": "a@b.c"}, {}, "fewer than two personal identifiers"),
        (
            {"email": "a@b.c"},
            {"other": {"kind": "order_id", "value": "7"}},
            "no personal identifier of the map",
        ),
        ({"order_id": "7"}, {"other": {"kind": "email", "value": "a@b.c"}}, "fewer than two"),
    ],
)
def test_a_word_on_one_identifier_alone_is_a_dead_letter(
    plan: Plan, identities: dict[str, str], data: dict[str, object], said: str
) -> None:
    (letter,) = Said(plan, [event("01 09:00", "unlinked", identities, **data)]).dead_letters
    assert any(said.encode() in value for _, value in letter.headers)


def test_a_link_from_a_table_makes_one_person_also_of_two_of_one_kind(plan: Plan) -> None:
    visits = [viewed("01 09:00", email="a@b.c"), viewed("01 09:05", email="d@e.f")]
    other = {"kind": "email", "value": "D@e.f"}
    assert Said(plan, visits).persons == [1, 1]
    assert Said(plan, [*visits, event("02 09:00", "imported", {"email": "a@b.c"}, other=other)]).persons == [
        3
    ]


@pytest.mark.parametrize("seed", range(25))
def test_the_order_of_arrival_changes_neither_persons_nor_findings(plan: Plan, seed: int) -> None:
    events = [
        event("01 09:00", "placed", {"cookie": "k", "order_id": "7"}, order="7", due="2026-05-03T00:00:00Z"),
        viewed("01 09:05", cookie="k", email="a@b.c"),
        viewed("01 10:00", email="a@b.c", customer_id="ann"),
        event("02 12:00", "delivered", {"order_id": "7"}, order="7"),
        viewed("03 09:00", cookie="k", customer_id="bert"),
        viewed("04 09:00", cookie="l", customer_id="bert"),
        event("05 09:00", "unlinked", {"cookie": "k", "email": "a@b.c"}),
        event("06 09:00", "placed", {"cookie": "l"}, order="8", due="2026-05-07T00:00:00Z"),
    ]
    in_order = Said(plan, events)
    random.Random(seed).shuffle(events)
    shuffled = Said(plan, [*events, *events[:3]], partitions=1 + seed % 3, batch=1 + seed % 4)
    assert shuffled.persons == in_order.persons
    assert _contents(shuffled) == _contents(in_order)


FOR_SO_LONG = {
    **SHOP,
    "identifiers": {
        **SHOP["identifiers"],  # type: ignore[dict-item]
        "phone": {"kind": "personal", "strength": 600, "normalise": "phone", "region": "DE"},
        "kiosk": {"kind": "personal", "strength": 200, "lives": "1d", "most_links": 3, "most_per_person": 1},
        "session": {"kind": "reference", "strength": 100, "lives": "1d"},
    },
}


@pytest.fixture(scope="module")
def for_so_long() -> Plan:
    return compile_plan(JourneyMap.model_validate(FOR_SO_LONG))


def test_who_uses_a_shared_device_on_another_day_is_not_chained_to_who_used_it_before(
    for_so_long: Plan,
) -> None:
    said = Said(
        for_so_long,
        [
            viewed("01 09:00", kiosk="k", email="a@b.c"),
            viewed("01 09:05", kiosk="k"),
            viewed("02 09:00", kiosk="k", email="d@e.f"),
            viewed("02 09:05", kiosk="k"),
            viewed("03 00:00", kiosk="k"),
        ],
    )
    assert said.persons == [1, 2, 2]


def test_a_late_event_falls_into_its_own_period(for_so_long: Plan) -> None:
    one, two = viewed("01 09:00", kiosk="k", email="a@b.c"), viewed("02 09:00", kiosk="k", email="d@e.f")
    late = viewed("01 23:59", kiosk="k")
    for events in ([one, late, two], [one, two, late], [late, two, one]):
        assert Said(for_so_long, events, batch=1).persons == [1, 2]


def test_a_customer_who_comes_by_the_same_device_every_day_is_one_person(for_so_long: Plan) -> None:
    days = [viewed(f"{day:02} 09:00", kiosk="k", email="a@b.c") for day in range(1, 32)]
    assert Said(for_so_long, days).persons == [31]


def test_a_reference_with_a_life_time_belongs_to_another_in_each_period(for_so_long: Plan) -> None:
    said = Said(
        for_so_long,
        [
            viewed("01 09:00", session="7", email="a@b.c"),
            viewed("01 10:00", session="7"),
            viewed("02 09:00", session="7", email="d@e.f"),
            viewed("02 10:00", session="7"),
        ],
    )
    assert said.persons == [2, 2]


def test_a_word_on_a_device_is_about_the_time_at_which_it_is_said_or_the_one_that_it_names(
    for_so_long: Plan,
) -> None:
    used = [
        viewed(f"{day} 09:0{minute}", kiosk="k", **who)
        for day in ("01", "02")
        for minute, who in enumerate([{"email": "a@b.c"}, {}])
    ]
    both = {"kiosk": "k", "email": "a@b.c"}
    apart = event("02 12:00", "unlinked", both)
    earlier = event("02 12:01", "unlinked", both, at="2026-05-01T20:00:00Z")
    assert Said(for_so_long, used).persons == [4]
    # the word is a touchpoint too, of the stronger
    assert Said(for_so_long, [*used, apart]).persons == [1, 4]
    assert Said(for_so_long, [*used, earlier]).persons == [1, 4]
    assert Said(for_so_long, [*used, apart, earlier]).persons == [1, 1, 4]
    again = event("03 12:00", "linked", both, at="2026-05-01T03:00:00Z")
    assert Said(for_so_long, [*used, apart, earlier, again]).persons == [1, 6]


def test_equal_people_write_their_number_differently_and_what_is_none_joins_nobody(for_so_long: Plan) -> None:
    said = Said(
        for_so_long,
        [
            viewed("01 09:00", phone=" +49 (0)30 901820 ", cookie="k"),
            viewed("01 10:00", phone="030 901820"),
            viewed("01 11:00", phone="0049 30 901820", cookie="l"),
            viewed("01 12:00", phone="ask Ann", cookie="m"),
            viewed("01 13:00", phone="ask Ann", cookie="n"),
        ],
    )
    assert said.persons == [1, 1, 3]


@pytest.mark.parametrize("seed", range(25))
def test_the_order_of_arrival_changes_nothing_where_identifiers_have_a_life_time(
    for_so_long: Plan, seed: int
) -> None:
    events = [
        event("01 09:00", "placed", {"kiosk": "k", "session": "7"}, order="7", due="2026-05-02T12:00:00Z"),
        viewed("01 09:05", kiosk="k", email="a@b.c"),
        viewed("01 23:59", kiosk="k", session="7"),
        event("02 09:00", "placed", {"kiosk": "k"}, order="8", due="2026-05-07T00:00:00Z"),
        event("02 12:00", "delivered", {"session": "7"}, order="7"),
        viewed("02 13:00", session="7", phone="030 901820"),
        viewed("02 14:00", kiosk="k", phone="+49 30 901820"),
        event("04 09:00", "unlinked", {"kiosk": "k", "email": "a@b.c"}, at="2026-05-01T12:00:00Z"),
        viewed("05 09:00", phone="0049 30 901820", email="d@e.f", kiosk="k"),
    ]
    in_order = Said(for_so_long, events)
    random.Random(seed).shuffle(events)
    shuffled = Said(for_so_long, [*events, *events[:3]], partitions=1 + seed % 3, batch=1 + seed % 4)
    assert shuffled.persons == in_order.persons
    assert _contents(shuffled) == _contents(in_order)


def _live(said: Said) -> set[bytes]:
    """The contents of what holds; of a link that was undone a withdrawn finding may be left."""
    return {content for content in _contents(said) if b'"withdrawn"' not in content}


def _contents(said: Said) -> set[bytes]:
    return {
        msgspec.json.encode(
            {key: value for key, value in finding.items() if key not in ("revision", "detected_at")}
        )
        for finding in said.findings
    }
