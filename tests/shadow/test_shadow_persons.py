"""Who would be joined, split or renamed by another map."""

from __future__ import annotations

from typing import Any

from shadow_world import MAP, PLACED, changed, event, shadow

PAST = [
    event("03-01 09:00", PLACED, "1", order_id="o-1", email="Ann@example.org"),
    event("03-01 10:00", PLACED, "2", order_id="o-2", email="ann@example.org"),
    event("03-01 11:00", PLACED, "3", order_id="o-3", email="bert@example.org"),
]


def ignore_case(journey_map: dict[str, Any]) -> None:
    journey_map["identifiers"]["email"]["case_sensitive"] = False


def test_a_changed_form_of_an_identifier_joins_persons() -> None:
    report = shadow(changed(ignore_case), PAST)
    assert (report.live.persons, report.new.persons) == (3, 2)
    assert (report.persons.joined, report.persons.split, report.persons.renamed) == (1, 0, 0)
    (joined,) = report.persons.joined_examples
    assert len(joined.live) == 2
    assert joined.new[0] in joined.live
    assert [(each.person_id, each.verdicts, each.facts) for each in report.customers] == [
        (joined.new[0], 0, 0)
    ]
    assert report.changes == []


def test_the_other_way_round_it_splits_them() -> None:
    report = shadow(MAP, PAST, live=changed(ignore_case))
    assert (report.persons.joined, report.persons.split, report.persons.renamed) == (0, 1, 0)
    (split,) = report.persons.split_examples
    assert len(split.new) == 2
    assert {each.person_id for each in report.customers} == set(split.new)


def test_a_link_that_is_refused_splits_whom_it_had_joined() -> None:
    linked = [
        event("03-01 09:00", PLACED, "1", order_id="o-1", customer_id="c-1", email="ann@example.org"),
        event("03-01 10:00", PLACED, "2", order_id="o-2", customer_id="c-2", email="ann@example.org"),
    ]

    def share(journey_map: dict[str, Any]) -> None:
        journey_map["identifiers"]["customer_id"]["unique"] = False

    report = shadow(changed(share), linked)
    assert (report.live.persons, report.new.persons) == (2, 1)
    assert report.persons.joined == 1
    back = shadow(MAP, linked, live=changed(share))
    assert back.persons.split == 1


def test_a_person_with_the_same_touchpoints_under_another_id_is_renamed_and_nobody_changes() -> None:
    both = [
        event("03-01 09:00", PLACED, "1", order_id="o-1", customer_id="c-1", email="ann@example.org"),
        event("03-01 10:00", PLACED, "2", order_id="o-2", email="bert@example.org"),
    ]

    def prefer_the_address(journey_map: dict[str, Any]) -> None:
        journey_map["identifiers"]["email"]["strength"] = 950

    report = shadow(changed(prefer_the_address), both)
    assert (report.persons.joined, report.persons.split, report.persons.renamed) == (0, 0, 1)
    assert report.customers == []
