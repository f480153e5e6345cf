"""What arrives late, twice, or in another order, and what belongs to no journey."""

from __future__ import annotations

from journey_world import ANSWERED, APPROVED, DELIVERED, PLACED, QUEUED, SHIPPED, SHOP, Story, at


def test_a_late_touchpoint_is_applied_at_its_time_and_overturns_a_finding() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    story.until("2026-03-06 00:00")
    story.happens("2026-03-04 09:00", DELIVERED)
    kept = story.batch().last("delivery")
    assert (kept.status, kept.revision) == ("kept", 1)
    assert [touchpoint.late for touchpoint in story.enriched] == [False, True]


def test_a_late_entry_moves_the_beginning_of_a_visit() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED)
    story.happens("2026-03-10 09:00", SHIPPED)
    story.happens("2026-03-20 09:00", DELIVERED)
    assert story.until("2026-03-21 00:00").all("in_transit") == []
    story.happens("2026-03-02 09:00", SHIPPED)
    assert story.batch().last("in_transit").detail.entered_at == at("2026-03-02 09:00")


def test_a_stall_that_was_opened_by_a_later_entry_is_withdrawn_for_the_earlier_ones() -> None:
    story = Story()
    story.happens("2026-03-10 09:00", SHIPPED, name="later")
    story.until("2026-03-30 00:00")
    story.happens("2026-03-02 09:00", SHIPPED, name="earlier")
    story.batch()
    assert {found.evidence[0]: found.status for found in story.all("in_transit")} == {
        "shop#later": "withdrawn",
        "shop#earlier": "opened",
    }


def test_the_context_of_a_late_touchpoint_is_the_one_at_its_place_in_the_trail() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", SHIPPED)
    story.happens("2026-03-05 09:00", DELIVERED)
    story.happens("2026-03-02 09:00", QUEUED)
    story.batch()
    assert story.enriched[-1].journeys[0].stages == ["in_transit", "on_hold"]
    assert story.enriched[-1].journeys[0].entered == ["on_hold"]


def test_a_touchpoint_that_comes_twice_changes_nothing() -> None:
    story = Story()
    for _ in range(2):
        story.happens("2026-03-01 09:00", PLACED, name="p", due="2026-03-05 09:00")
        story.batch()
    assert (len(story.enriched), len(story.all("delivery")), len(story.findings)) == (1, 1, 2)
    assert (story.stage.counts["touchpoints"], story.stage.counts["duplicates"]) == (1, 1)
    assert story.stage.counts["clashes"] == 0


def test_of_two_contents_under_one_id_the_smaller_digest_stays_whichever_came_first() -> None:
    for versions in ("ab", "ba"):
        story = Story()
        for version in versions:
            due = {"a": "2026-03-05 09:00", "b": "2026-03-09 09:00"}[version]
            story.happens("2026-03-01 09:00", PLACED, name="p", version=version, due=due)
            story.batch()
        assert story.last("delivery").detail.due_at == at("2026-03-05 09:00")
        assert (story.stage.counts["duplicates"], story.stage.counts["clashes"]) == (1, 1)


def test_a_content_that_makes_no_promise_any_more_withdraws_it() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, name="p", version="b", due="2026-03-05 09:00")
    story.batch()
    story.happens("2026-03-01 09:00", PLACED, name="p", version="a")
    withdrawn = story.batch().last("delivery")
    assert (withdrawn.status, withdrawn.revision) == ("withdrawn", 1)
    assert withdrawn.detail.due_at == at("2026-03-05 09:00")


def test_a_content_that_belongs_to_another_journey_leaves_nothing_in_the_first() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, name="p", version="b", order="7", due="2026-03-05 09:00")
    story.batch().quiet()
    story.happens("2026-03-01 09:00", PLACED, name="p", version="a", order="8", due="2026-03-05 09:00")
    story.batch().quiet()
    assert {found.journey_key: found.status for found in story.all("delivery")} == {
        "7": "withdrawn",
        "8": "made",
    }
    assert {key: state.status for key, state in story.journeys().items()} == {"7": "withdrawn", "8": "open"}


def test_touchpoints_at_the_same_instant_follow_their_sequence() -> None:
    story = Story()
    for order, answered, queued in (("left", "2", "1"), ("inside", "1", "2")):
        story.happens("2026-03-01 09:00", ANSWERED, order=order, sequence=answered)
        story.happens("2026-03-01 09:00", QUEUED, order=order, sequence=queued)
    story.batch().quiet()
    assert {key: len(state.stages) for key, state in story.journeys().items()} == {"left": 0, "inside": 1}


def test_any_touchpoint_with_the_key_opens_the_journey_and_belongs_to_it() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", "social.post.written")
    story.happens("2026-03-02 09:00", APPROVED)
    story.batch().quiet()
    assert [touchpoint.mapped for touchpoint in story.enriched] == [False, True]
    assert [touchpoint.owner for touchpoint in story.enriched] == [None, "billing"]
    assert story.stage.counts["unmapped"] == 1
    journey = story.journeys()["7"]
    assert (journey.touchpoints, journey.opened_at) == (2, at("2026-03-01 09:00"))


def test_a_touchpoint_without_the_key_belongs_to_the_person_alone() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", QUEUED, order=None)
    story.batch().quiet()
    assert story.enriched[0].journeys == []
    assert story.journeys() == {}
    assert story.persons()[story.person()].touchpoints == 1


def test_several_journeys_of_a_person_run_side_by_side() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, order="7", due="2026-03-05 09:00")
    story.happens("2026-03-01 10:00", PLACED, order="8", due="2026-03-05 09:00")
    story.happens("2026-03-04 09:00", DELIVERED, order="8")
    story.until("2026-03-06 00:00").quiet()
    assert {found.journey_key: found.status for found in story.all("delivery")} == {
        "7": "broken",
        "8": "kept",
    }
    assert story.persons()[story.person()].touchpoints == 3


def test_two_journey_types_fold_the_same_touchpoint() -> None:
    shop = {**SHOP, "journeys": {**SHOP["journeys"], "care": {"key": "data.case", "end": [QUEUED]}}}
    story = Story(shop)
    story.happens("2026-03-01 09:00", QUEUED, case=12)
    story.happens("2026-03-02 09:00", QUEUED, case=12.0)
    story.batch().quiet()
    assert {context.journey_type: context.journey_key for context in story.enriched[0].journeys} == {
        "order": "7",
        "care": "12",
    }
    care = story.journeys()["12"]
    assert (care.status, care.ended_at, care.touchpoints) == ("completed", at("2026-03-01 09:00"), 2)


def test_a_persons_state_says_how_far_its_trail_reaches_and_who_it_is() -> None:
    story = Story()
    story.happens("2026-03-02 09:00", QUEUED)
    story.happens("2026-03-01 09:00", PLACED)
    story.batch().quiet()
    state = story.persons()[story.person()]
    assert (state.touchpoints, state.first_at, state.last_at) == (
        2,
        at("2026-03-01 09:00"),
        at("2026-03-02 09:00"),
    )
    assert state.identifiers == [story.token("customer_id", "ann")]


def test_records_are_keyed_so_that_the_last_of_a_key_is_the_truth() -> None:
    story = Story()
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-05 09:00")
    story.batch().quiet()
    finding, journey = story.last("delivery"), story.journeys()["7"]
    person = story.person()
    assert set(story.keys) == {
        ("enriched", person.encode()),
        ("findings", finding.finding_id.encode()),
        ("findings", story.last("approval").finding_id.encode()),
        ("state", f"journey:{journey.journey_id}".encode()),
        ("state", f"person:{person}".encode()),
        ("state", b"counts:journey/0"),
    }
