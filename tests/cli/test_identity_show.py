"""`identity show` and `explain`: what a pipeline has told of its links, as the command line tells it."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from command_line import Done, Throughline
from published_records import Consumed

from pipeline.core.instants import micros
from pipeline.core.plan import compile_plan
from pipeline.core.run import MemoryPipeline, RunConfig
from pipeline.settings import Settings
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.migrate import migrate
from pipeline.warehouse.sink import WarehouseSink
from schemas.journey_map import JourneyMap

pytestmark = pytest.mark.services

MAP = {
    "name": "shop",
    "identifiers": {
        "customer_id": {"kind": "personal", "strength": 900, "unique": True},
        "email": {"kind": "personal", "strength": 700, "case_sensitive": False},
        "cookie": {"kind": "personal", "strength": 300, "most_links": 3},
        "mobile": {"kind": "personal", "strength": 600, "normalise": "phone", "region": "DE"},
        "tablet": {"kind": "personal", "strength": 200, "lives": "1d"},
        "visit": {"kind": "reference", "strength": 100, "lives": "1d"},
        "order_id": {"kind": "reference", "strength": 500},
        "parcel_id": {"kind": "reference", "strength": 300},
    },
    "touchpoints": {"marketing.page.viewed": {"owner": "web"}},
    "journeys": {},
}
NOW = micros(datetime(2026, 6, 1, tzinfo=UTC))


def event(name: str, time: str, kind: str = "marketing.page.viewed", **identities: str) -> bytes:
    return json.dumps(
        {
            "specversion": "1.0",
            "id": name,
            "source": "/shop",
            "type": kind,
            "time": f"2026-05-{time}:00Z",
            "identities": identities,
            "data": {},
        }
    ).encode()


EVENTS = [
    event("view", "01T09:00", cookie="k1"),
    event("sign-up", "01T09:10", cookie="k1", email="Ann@Example.com"),
    event("log-in", "01T09:20", email="ann@example.com", customer_id="ann"),
    event("order", "01T09:30", customer_id="ann", order_id="77"),
    event("label", "01T10:00", order_id="77", parcel_id="p-9"),
    event("again", "02T09:20", cookie="k1", customer_id="ann"),
    event("family", "03T09:00", email="ann@example.com", customer_id="bob"),
    event("bob", "03T09:01", customer_id="bob"),
    event("kiosk 1", "04T09:01", cookie="kiosk", customer_id="c1"),
    event("kiosk 2", "04T09:02", cookie="kiosk", customer_id="c2"),
    event("kiosk 3", "04T09:03", cookie="kiosk", customer_id="c3"),
    event("kiosk 4", "04T09:04", cookie="kiosk", customer_id="c4"),
    event("link", "05T09:00", email="eve@example.com", cookie="k5"),
    event("desk", "05T10:00", "service.identity.unlinked", email="eve@example.com", cookie="k5"),
    event("t1", "07T09:00", tablet="t", mobile="030 901820"),
    event("t2", "08T09:00", tablet="t", mobile="+49 30 901821", visit="v"),
    event("t3", "09T09:00", tablet="t", customer_id="tom", mobile="ask Tom", visit="v"),
    event("lonely", "06T09:00", customer_id="zoe"),
]


@pytest.fixture(scope="module")
def name(clickhouse: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a pipeline whose warehouse holds what these events have come to."""
    settings = Settings(clickhouse=clickhouse, namespace=f"show-{uuid.uuid4().hex[:8]}")
    plan = compile_plan(JourneyMap.model_validate(MAP))
    config = RunConfig(settings.identity_key.get_secret_value(), NOW, partitions=2)
    pipeline = MemoryPipeline(plan, config, keeps_enriched=True)
    for each in EVENTS:
        pipeline.feed("marketing", each)
        pipeline.work()
    pipeline.drain()
    assert not pipeline.published.dead_letters
    topology = settings.topology
    records = [Consumed(topology.enriched, n, value) for n, value in enumerate(pipeline.published.enriched)]
    records += [
        Consumed(topology.state, n, value) for n, value in enumerate(pipeline.published.states.values())
    ]
    warehouse = Warehouse(clickhouse, settings.database)
    migrate(warehouse)
    WarehouseSink(warehouse, topology, lambda _: None, lambda _, reason: pytest.fail(reason)).write(records)
    yield settings.namespace
    warehouse.drop_database()
    warehouse.close()


@pytest.fixture
def ask(
    throughline: Throughline, name: str, clickhouse: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Throughline:
    path = tmp_path / "map.yaml"
    path.write_text(json.dumps(MAP), "utf-8")
    monkeypatch.setenv("THROUGHLINE_CLICKHOUSE", clickhouse)

    def call(command: str, *arguments: str) -> Done:
        return throughline("identity", command, *arguments, "--name", name, "--map", path)

    return call


def test_a_person_is_shown_with_when_and_why_each_identifier_was_linked(ask: Throughline) -> None:
    done = ask("show", "cookie=k1")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].startswith("person ")
    assert lines[0].endswith(", named by customer_id=ann")
    assert lines[1:4] == [
        "customer_id=ann",
        "└── email=ann@example.com  linked 2026-05-01 09:20:00 by /shop#log-in",
        "    └── cookie=k1  linked 2026-05-01 09:10:00 by /shop#sign-up",
    ]
    assert lines[4] == "1 more link of identifiers that were one person already"
    assert "touchpoints came by (1)\n  order_id=77\n" in done.out
    refused = "customer_id=bob and email=ann@example.com: refused (unique: the two persons have different values of a"
    assert f"refused (1)\n  {refused} unique kind), linked 2026-05-03 09:00:00 by /shop#family\n" in done.out
    assert "overrides pending: 2 that move touchpoints here, 0 that move them away" in done.out


def test_a_reference_leads_to_its_person_step_by_step(ask: Throughline) -> None:
    done = ask("show", "parcel_id=p-9")
    first = "names both, the first to do so"
    assert done.out.splitlines()[:2] == [
        f"parcel_id=p-9 belongs to order_id=77: touchpoint /shop#label of 2026-05-01 10:00:00 {first}",
        f"order_id=77 belongs to customer_id=ann: touchpoint /shop#order of 2026-05-01 09:30:00 {first}",
    ]
    assert "named by customer_id=ann" in done.out


def test_a_person_can_be_asked_for_by_its_id(ask: Throughline) -> None:
    person = ask("show", "cookie=k1").out.split()[1].rstrip(",")
    assert ask("show", person).out == ask("show", "cookie=k1").out


def test_an_identifier_that_strangers_share_says_so(ask: Throughline) -> None:
    done = ask("show", "cookie=kiosk")
    assert "it is shared by strangers (most_links): it joins nobody" in done.out
    assert "refused (4)" in done.out


def test_an_identifier_that_stands_alone_says_so(ask: Throughline) -> None:
    done = ask("show", "customer_id=zoe")
    assert done.out.splitlines()[0] == "customer_id=zoe was never linked to another identifier"


def test_two_that_are_one_person_are_explained_by_the_links_between_them(ask: Throughline) -> None:
    done = ask("explain", "cookie=k1", "order_id=77")
    assert "cookie=k1 and customer_id=ann are one person, " in done.out
    assert done.out.endswith(
        "cookie=k1 and customer_id=ann: joined, linked 2026-05-02 09:20:00 by /shop#again\n"
    )


def test_two_that_are_not_are_explained_by_the_rule_that_keeps_them_apart(ask: Throughline) -> None:
    done = ask("explain", "customer_id=bob", "cookie=k1")
    assert "customer_id=bob and cookie=k1 are not one person" in done.out
    assert "refused (unique: the two persons have different values of a unique kind)" in done.out
    assert done.out.endswith("1 link on the shortest way joins nobody\n")


def test_an_unlinking_is_explained_by_the_word_that_was_said(ask: Throughline) -> None:
    done = ask("explain", "email=eve@example.com", "cookie=k5")
    assert "are not one person" in done.out
    assert (
        "unlinked, linked 2026-05-05 09:00:00 by /shop#link; last spoken of 2026-05-05 10:00:00 by /shop#desk"
        in done.out
    )


def test_an_identifier_with_a_life_time_is_shown_as_it_was_at_the_instant(ask: Throughline) -> None:
    first = ask("show", "tablet=t", "--at", "2026-05-07T23:00:00Z")
    assert first.out.splitlines()[0].endswith(", named by mobile=+4930901820")
    linked = "linked 2026-05-07 09:00:00 by /shop#t1"
    assert first.out.splitlines()[2] == f"└── tablet=t (from 2026-05-07 00:00)  {linked}"
    second = ask("show", "tablet=t", "--at", "2026-05-08T00:00:00Z")
    assert second.out.splitlines()[0].endswith(", named by mobile=+4930901821")
    today = ask("show", "tablet=t")
    assert (today.code, today.out) == (2, "")
    assert re.search(
        r"carries tablet=t \(from 20..-..-.. 00:00\); --at INSTANT asks for another time", today.said
    )
    apart = ask("explain", "mobile=030 90 18 20", "tablet=t", "--at", "2026-05-08")
    assert "mobile=+4930901820 and tablet=t (from 2026-05-08 00:00) are not one person" in apart.out
    one = ask("explain", "mobile=030 90 18 20", "tablet=t", "--at", "2026-05-07")
    assert "are one person" in one.out


def test_a_reference_with_a_life_time_is_its_owners_of_that_time(ask: Throughline) -> None:
    assert "visit=v belongs to mobile=+4930901821" in ask("show", "visit=v", "--at", "2026-05-08").out
    assert "visit=v belongs to customer_id=tom" in ask("show", "visit=v", "--at", "2026-05-09").out


def test_a_customer_is_found_by_an_identifier_however_it_is_written(
    throughline: Throughline, ask: Throughline, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THROUGHLINE_JOURNEY_MAP", str(tmp_path / "map.yaml"))
    found = {throughline("journey", value, "--name", name).out for value in ("+4930901820", "030 90 18 20")}
    assert len(found) == 1
    assert found.pop().startswith("person ")
    # each day's visitor is found, and by what was none of their identifiers too
    assert throughline("journey", "t", "--name", name).out.count("person ") == 3
    assert throughline("journey", "ask Tom", "--name", name).out.count("person ") == 1
    assert throughline("journey", "030 90 18 99", "--name", name).code == 2


@pytest.mark.parametrize(
    "asked", [("show", "email=Nobody@example.com"), ("explain", "cookie=k1", "email=nobody@example.com")]
)
def test_an_identifier_that_nobody_ever_carried_is_nobodys(
    ask: Throughline, name: str, asked: tuple[str, ...]
) -> None:
    done = ask(*asked)
    assert (done.code, done.out) == (2, "")
    database = f"throughline_{name.replace('-', '_')}"
    assert done.said == f"error: no touchpoint in {database} carries email=nobody@example.com"


def test_a_person_to_whom_no_touchpoint_came_is_nobody(ask: Throughline) -> None:
    person = "11111111-1111-8111-8111-111111111111"
    done = ask("show", person)
    assert (done.code, done.out) == (2, "")
    assert f"came to a person {person}" in done.said


def test_two_that_nothing_links_are_told_so(ask: Throughline) -> None:
    done = ask("explain", "customer_id=zoe", "customer_id=ann")
    assert done.out.endswith("nothing that was said links them, not even by way of others\n")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            "phone=123456",
            "the journey map has no identifier kind 'phone'; it has cookie, customer_id, email, ",
        ),
        (
            "custmer_id=ann",
            "the journey map has no identifier kind 'custmer_id' (did you mean 'customer_id'?); it has cookie, ",
        ),
        ("mobile=ask Ann", "mobile=ask Ann is no possible phone number (write it in international form"),
        ("email=unknown", "email=unknown is blocked in the journey map: whoever writes it is nobody"),
        ("ann", "KIND=VALUE"),
    ],
)
def test_what_is_no_identifier_is_an_error_that_says_why(ask: Throughline, asked: str, said: str) -> None:
    done = ask("show", asked)
    assert (done.code, done.out) == (2, "")
    assert said in done.err.replace("\n", " ")


def test_without_a_map_it_is_told_where_to_name_one(
    throughline: Throughline, name: str, clickhouse: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THROUGHLINE_CLICKHOUSE", clickhouse)
    done = throughline("identity", "show", "email=ann@example.com", "--name", name)
    assert done.code == 2
    assert "--map or THROUGHLINE_JOURNEY_MAP" in done.said
