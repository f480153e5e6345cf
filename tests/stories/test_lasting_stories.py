"""What outlives a batch, a restart, a changed map and the bounds of a trail."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest
from journey_world import (
    APPROVED,
    CALLED_OFF,
    DELIVERED,
    PLACED,
    REVIEWED,
    SHIPPED,
    SHOP,
    Story,
    at,
    plan_of,
    us,
)
from msgspec.structs import replace

from pipeline.core import journey_stage
from pipeline.core.budget import Budget
from pipeline.core.instants import moment
from pipeline.core.journey_memory import JourneyMemory
from pipeline.core.run import MemoryStore


def shop_with(**promise: Any) -> dict[str, Any]:
    """The shop with a changed delivery promise."""
    shop = copy.deepcopy(SHOP)
    shop["journeys"]["order"]["promises"]["delivery"].update(promise)
    return shop


def minute(number: int) -> str:
    return str(moment(us("2026-03-01 00:00") + number * 60_000_000).replace(tzinfo=None))


def test_a_restart_forgets_neither_deadlines_nor_revisions_nor_time() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    story.happens("2026-03-02 09:00", SHIPPED)
    story.until("2026-03-02 00:00")
    story.open()
    broken = story.until("2026-03-06 00:00").last("delivery")
    assert (broken.status, broken.revision) == ("broken", 1)
    story.open()
    story.happens("2026-03-05 00:00", DELIVERED)
    kept = story.batch().last("delivery")
    assert (kept.status, kept.revision) == ("kept", 2)
    assert story.enriched[-1].late


def test_a_restart_publishes_nothing_again() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    story.happens("2026-03-02 09:00", SHIPPED)
    story.until("2026-04-01 00:00").quiet()
    before = (len(story.findings), len(story.states))
    story.open()
    story.until("2026-05-01 00:00").quiet()
    assert (len(story.findings), len(story.states)) == before


def test_a_restart_forgets_no_state_that_is_owed() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED)
    story.batch()
    assert story.states == []
    story.open()
    story.quiet()
    assert story.journeys()["7"].touchpoints == 1
    assert story.persons()[story.person()].touchpoints == 1


def test_a_restart_goes_on_counting_and_tells_the_counts_that_were_not_told() -> None:
    story = Story()
    for _ in range(3):
        story.happens("2026-03-01 09:00", PLACED, name="again")
    story.batch()
    story.open()
    story.quiet()
    assert story.counted[-1].counts == {"touchpoints": 1, "duplicates": 2}
    story.open()
    story.happens("2026-03-01 09:00", PLACED, name="again")
    story.batch().quiet()
    assert story.counted[-1].counts == {"touchpoints": 1, "duplicates": 3}
    assert [counted.version for counted in story.counted] == sorted({told.version for told in story.counted})


def test_counts_that_have_not_changed_are_not_told_again() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED)
    story.batch().quiet()
    told = len(story.counted)
    story.until("2026-03-09 00:00").quiet()
    story.open()
    story.quiet()
    assert len(story.counted) == told == 1


def test_the_counts_of_a_busy_partition_are_told_within_sixteen_batches() -> None:
    story = Story()
    for hour in range(17):
        story.happens(f"2026-03-01 {hour:02}:00", QUEUED_TYPE)
        story.batch()
    assert [counted.counts["touchpoints"] for counted in story.counted] == [17]


def test_a_person_that_was_packed_away_is_as_it_was() -> None:
    story = Story(cache=Budget(1))
    for customer in ("ann", "bob", "eve"):
        story.happens("2026-03-01 09:00", PLACED, customer=customer, order=customer, due="2026-03-05 09:00")
        story.happens("2026-03-02 09:00", SHIPPED, customer=customer, order=customer)
        story.until("2026-03-02 10:00")
    story.happens("2026-03-04 09:00", DELIVERED, customer="ann", order="ann")
    story.until("2026-03-20 00:00").quiet()
    assert {found.journey_key: found.status for found in story.all("delivery")} == {
        "ann": "kept",
        "bob": "broken",
        "eve": "broken",
    }
    assert {found.journey_key for found in story.all("in_transit")} == {"bob", "eve"}
    assert {key: state.touchpoints for key, state in story.journeys().items()} == {
        "ann": 3,
        "bob": 2,
        "eve": 2,
    }


def test_a_busy_person_is_stated_within_sixteen_batches_and_not_in_each() -> None:
    story = Story()
    for hour in range(17):
        story.happens(f"2026-03-01 {hour:02}:00", QUEUED_TYPE)
        story.batch()
    assert [state.touchpoints for state in story.states if state.kind == "person"] == [17]


QUEUED_TYPE = "service.call.queued"


def test_a_changed_map_revises_what_was_concluded_under_the_old_one() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    story.until("2026-03-02 00:00").quiet()
    story.open(shop_with(owed_by="carrier", at_risk=0.1))
    story.quiet()
    revised = story.last("delivery")
    assert (revised.revision, revised.owner, revised.status) == (1, "carrier", "at_risk")


def test_a_rule_that_a_changed_map_drops_is_withdrawn_and_a_new_one_is_applied() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    story.happens("2026-03-01 10:00", SHIPPED)
    story.until("2026-03-20 00:00").quiet()
    changed = copy.deepcopy(SHOP)
    promises = changed["journeys"]["order"]["promises"]
    promises["shipping"] = {**promises.pop("approval"), "met_by": SHIPPED}
    del changed["journeys"]["order"]["stages"]["in_transit"]["expected"]
    story.open(changed)
    story.quiet()
    assert (story.last("approval").status, story.last("approval").revision) == ("withdrawn", 1)
    assert story.last("shipping").status == "kept"
    assert story.last("in_transit").status == "withdrawn"
    assert (story.last("delivery").status, story.last("delivery").revision) == ("broken", 0)


def test_a_journey_type_that_a_changed_map_drops_is_withdrawn_with_its_findings() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    story.until("2026-03-20 00:00").quiet()
    changed = copy.deepcopy(SHOP)
    changed["journeys"]["purchase"] = changed["journeys"].pop("order")
    story.open(changed)
    story.quiet()
    assert {found.journey_type: found.status for found in story.all("delivery")} == {
        "order": "withdrawn",
        "purchase": "broken",
    }
    states = {state.journey_type: state.status for state in story.states if state.kind == "journey"}
    assert states == {"order": "withdrawn", "purchase": "open"}


def test_a_changed_map_is_settled_before_anything_else_happens_to_a_person() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    story.until("2026-03-02 00:00")
    story.open(shop_with(owed_by="carrier"))
    story.happens("2026-03-03 09:00", DELIVERED)
    kept = story.batch().last("delivery")
    assert (kept.status, kept.owner, kept.revision) == ("kept", "carrier", 2)


def test_folding_anew_goes_on_after_a_restart_and_the_old_map_is_let_go_at_the_end() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    story.until("2026-03-02 00:00").quiet()
    changed = shop_with(owed_by="carrier")
    story.open(changed)
    story.open(changed)
    story.quiet()
    assert story.last("delivery").owner == "carrier"
    assert len([key for key in story.store if key.startswith(b"j")]) == 1
    before = len(story.findings)
    story.open(changed)
    story.quiet()
    assert len(story.findings) == before


def test_another_title_folds_nobody_anew() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    story.until("2026-03-02 00:00").quiet()
    before = len(story.states)
    story.open({**SHOP, "title": "Our shop"})
    story.quiet()
    assert len(story.states) == before


def test_a_cut_trail_keeps_open_promises_and_visits() -> None:
    story = Story(trail_entries=64)
    story.happens("2026-03-01 00:00", PLACED, due="2026-03-05 00:00")
    story.happens("2026-03-01 00:00", SHIPPED)
    for number in range(1, 200):
        story.happens(minute(number), REVIEWED, order="another")
    story.batch()
    assert story.stage.counts["cut_touchpoints"] >= 200 - 64
    story.open()
    assert story.until("2026-03-06 00:00").last("delivery").status == "broken"
    story.happens("2026-03-16 00:00", DELIVERED)
    story.until("2026-03-20 00:00").quiet()
    assert (story.last("delivery").status, story.last("delivery").detail.met_at) == (
        "broken",
        at("2026-03-16 00:00"),
    )
    assert story.last("in_transit").status == "resolved"
    assert story.journeys()["7"].touchpoints == 3
    assert story.persons()[story.person()].touchpoints == 202
    assert story.persons()[story.person()].first_at == at("2026-03-01 00:00")


def test_a_changed_map_withdraws_what_a_cut_touchpoint_had_opened() -> None:
    story = Story(trail_entries=64)
    story.happens("2026-03-01 00:00", PLACED, due="2026-03-05 00:00")
    for number in range(1, 100):
        story.happens(minute(number), REVIEWED, order="another")
    story.until("2026-03-02 00:00").quiet()
    changed = copy.deepcopy(SHOP)
    del changed["journeys"]["order"]["promises"]["delivery"]
    story.open(changed)
    story.quiet()
    assert (story.last("delivery").status, story.last("delivery").revision) == ("withdrawn", 1)
    changed["journeys"]["purchase"] = changed["journeys"].pop("order")
    story.open(changed)
    story.until("2026-03-03 00:00").quiet()
    assert [found.status for found in story.all("approval")] == ["withdrawn"]
    assert not [key for key in story.store if key.startswith(b"b")]


def test_settled_journeys_in_the_cut_part_are_forgotten_and_counted() -> None:
    story = Story(trail_entries=64)
    for number in range(200):
        story.happens(minute(number), REVIEWED, order=str(number))
    story.batch().quiet()
    assert story.stage.counts["forgotten_journeys"] == story.stage.counts["cut_touchpoints"] > 0
    assert len(story.journeys()) == 200
    assert not [key for key in story.store if key.startswith(b"b")]


def test_what_is_older_than_the_cut_is_published_and_counted_but_not_applied() -> None:
    story = Story(trail_entries=64)
    story.happens("2026-03-01 00:00", PLACED, due="2026-03-01 00:10")
    for number in range(20, 200):
        story.happens(minute(number), REVIEWED, order="another")
    story.until("2026-03-02 00:00")
    story.happens(minute(5), DELIVERED, name="too late")
    story.batch()
    assert story.last("delivery").status == "broken"
    assert story.last("delivery").detail.met_at is None
    assert (story.enriched[-1].id, story.enriched[-1].journeys) == ("too late", [])
    assert story.stage.counts["beyond_trail"] == 1


def test_a_cut_touchpoint_that_comes_again_is_known_for_a_while() -> None:
    story = Story(trail_entries=64, duplicate_ids=100)
    names = [story.happens(minute(number), REVIEWED) for number in range(300)]
    story.batch()
    story.open()
    accepted = len(story.enriched)
    story.happens(minute(230), REVIEWED, name=names[230])
    story.happens(minute(220), REVIEWED, name=names[220])
    story.batch()
    assert story.stage.counts["duplicates"] == 2
    story.happens(minute(0), REVIEWED, name=names[0])
    story.batch()
    assert story.stage.counts["beyond_trail"] == 1
    assert len(story.enriched) == accepted + 1


def test_values_stay_small_however_long_a_trail_and_however_many_journeys() -> None:
    story = Story(trail_entries=256, duplicate_ids=256)
    for number in range(1500):
        story.happens(minute(number), PLACED, order=str(number), due="2027-01-01 00:00", note="x" * 500)
        if number % 100 == 0:
            story.batch()
    story.batch()
    assert max(len(value) for value in story.store.values()) < 100_000
    assert len([key for key in story.store if key.startswith(b"b")]) <= 256
    assert story.stage.counts["evicted_journeys"] > 0
    assert story.stage.counts["evicted_ids"] > 0


def test_one_journey_that_never_keeps_its_promises_keeps_a_bounded_number_of_them() -> None:
    story = Story(trail_entries=64)
    for number in range(400):
        story.happens(minute(number), PLACED, due="2027-01-01 00:00")
    story.batch()
    assert story.stage.counts["lost_promises"] > 0
    story.open()
    story.until("2027-02-01 00:00")
    broken = [found for found in story.all("delivery") if found.status == "broken"]
    assert 64 <= len(broken) <= 64 + 64 + 16


def test_large_touchpoints_are_kept_in_segments_of_their_own() -> None:
    shop = shop_with(met_by=[{"type": DELIVERED, "where": {"data.note": "x"}}])
    story = Story(shop)
    for number in range(20):
        story.happens(minute(number), DELIVERED, note=f"{number}" * 20_000)
    story.batch()
    assert max(len(value) for value in story.store.values()) < 70_000
    story.open(shop)
    story.happens(minute(30), DELIVERED, note="y")
    story.batch().quiet()
    assert story.journeys()["7"].touchpoints == 21


def test_the_cut_part_stays_and_its_digests_move_with_the_rest() -> None:
    story = Story(trail_entries=64)
    order, ann = story.token("order_id", "7"), story.token("customer_id", "ann")
    names = [story.happens(minute(number), APPROVED, path=((order, 0),)) for number in range(100)]
    story.batch()
    story.releases(order, 1, ann)
    story.batch()
    moved = [digest for carry in story.carried for digest, _ in carry.parcel.forgotten]
    assert (
        len(moved)
        == story.stage.counts["cut_touchpoints"]
        == 100 - sum(len(carry.parcel.entries) for carry in story.carried)
    )
    for carry in story.carried:
        on = [replace(origin, steps=(*origin.steps, (order, 1), (ann, 0))) for origin in carry.parcel.origins]
        story.receives(replace(carry.parcel, origins=on), "ann")
    story.happens(minute(0), APPROVED, name=names[0])
    story.batch()
    assert story.stage.counts["duplicates"] == 1


def test_a_cancellation_and_its_promise_survive_a_cut_between_them() -> None:
    story = Story(trail_entries=64)
    story.happens("2026-03-01 00:00", PLACED, due="2026-03-05 00:00")
    for number in range(1, 100):
        story.happens(minute(number), REVIEWED, order="another")
    story.batch()
    story.happens("2026-03-02 00:00", CALLED_OFF)
    assert story.until("2026-03-09 00:00").last("delivery").status == "cancelled"


def test_time_that_passes_many_deadlines_at_once_is_worked_off_over_batches_and_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journey_stage, "DUE", 2)
    story = Story(cache=Budget(1))
    for customer in ("ann", "bob", "eve", "joe", "kim"):
        story.happens("2026-03-01 09:00", PLACED, customer=customer, order=customer, due="2026-03-05 09:00")
    story.batch().quiet()
    assert not story.stage.owes
    story.until("2026-03-06 00:00")
    assert story.told("delivery").count("broken") == 2
    assert story.stage.owes
    story.open()
    assert story.stage.owes
    story.batch()
    assert story.told("delivery").count("broken") == 4
    story.quiet()
    assert story.told("delivery").count("broken") == 5
    assert not story.stage.owes


def test_a_map_that_drops_every_journey_type_of_a_person_withdraws_their_states() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    story.until("2026-03-20 00:00").quiet()
    changed = copy.deepcopy(SHOP)
    changed["journeys"]["ticket"] = {**changed["journeys"].pop("order"), "key": "identities.ticket_id"}
    story.open(changed)
    story.quiet()
    assert story.last("delivery").status == "withdrawn"
    assert story.journeys()["7"].status == "withdrawn"


def test_a_dropped_journey_type_is_withdrawn_also_when_its_person_is_the_first_to_be_heard_of_again() -> None:
    story = Story()
    order, ann = story.token("order_id", "7"), story.token("customer_id", "ann")
    story.happens("2026-03-01 09:00", PLACED, path=((order, 0),), due="2026-03-05 09:00")
    story.until("2026-03-20 00:00").quiet()
    changed = copy.deepcopy(SHOP)
    changed["journeys"]["ticket"] = {**changed["journeys"].pop("order"), "key": "identities.ticket_id"}
    story.open(changed)
    story.releases(order, 1, ann)
    story.batch().quiet()
    assert story.last("delivery").status == "withdrawn"
    assert story.journeys()["7"].status == "withdrawn"


def test_deadlines_that_were_replaced_take_no_room_for_ever() -> None:
    memory = JourneyMemory(MemoryStore(), plan_of(SHOP), 1, Budget(), 10)
    for later in range(5000):
        memory.schedule("ann", us("2027-01-01 00:00") + later)
        memory.schedule("bob", us("2026-01-01 00:00"))
    assert len(memory._deadlines._heap) <= 1100
    memory.watermark.advance("identity/0", us("2028-01-01 00:00"))
    assert memory.take_due(10) == ["bob", "ann"]
    assert not memory.has_due


def test_a_trail_whose_cut_part_begins_in_1970_began_then() -> None:
    story = Story(trail_entries=16)
    begin = moment(0)
    for number in range(60):
        story.happens(str((begin + timedelta(minutes=number)).replace(tzinfo=None)), REVIEWED)
    story.batch()
    assert story.stage.counts["cut_touchpoints"] >= 32
    story.happens("1970-01-02 00:00", REVIEWED)
    story.batch().quiet()
    assert story.persons()[story.person()].first_at == begin
