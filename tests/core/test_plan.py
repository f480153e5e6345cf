"""A map compiled: what each touchpoint type needs and does."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from journey_world import DELIVERED, PLACED, REVIEWED, SHIPPED, SHOP, plan_of, us
from pydantic import ValidationError

from pipeline.core.acts import ENTER, LEAVE, MEET
from pipeline.core.plan import applies, plan_from


def shop(**promise: Any) -> dict[str, Any]:
    changed = copy.deepcopy(SHOP)
    changed["journeys"]["order"]["promises"]["delivery"].update(promise)
    return changed


def test_every_type_carries_the_correlation_keys_and_only_what_its_rules_mention() -> None:
    met_by = {"type": DELIVERED, "where": {"data.to": "door", "outcome": "success"}}
    plan = plan_of(shop(met_by=met_by))
    key = ("identities.order_id", False)
    assert plan.projection(PLACED) == (key, ("data.due", True))
    assert plan.projection(DELIVERED) == (key, ("data.to", False), ("outcome", False))
    assert plan.projection(REVIEWED) == plan.projection("social.post.written") == (key,)


def test_the_owner_of_a_type_is_the_maps_and_none_when_it_is_unmapped() -> None:
    plan = plan_of(SHOP)
    assert (plan.owner(SHIPPED), plan.owner("social.post.written")) == ("logistics", None)


def test_a_plan_comes_back_from_the_map_that_it_keeps() -> None:
    plan = plan_of(SHOP)
    assert plan_from(plan.source) == plan


def test_the_digest_covers_what_decides_and_not_how_things_are_called() -> None:
    digest = plan_of(SHOP).digest
    assert plan_of({**SHOP, "title": "Our shop"}).digest == digest
    assert plan_of(shop(title="On time")).digest == digest
    assert plan_of(shop(at_risk=0.5)).digest != digest
    assert plan_of(shop(owed_by="carrier")).digest != digest
    assert plan_of(shop(due={"within": "2d"})).digest != digest


def test_a_touchpoint_leaves_before_it_enters() -> None:
    changed = copy.deepcopy(SHOP)
    changed["journeys"]["order"]["stages"]["on_hold"]["enter"] = DELIVERED
    acts = [action.act for action in plan_of(changed).journeys[0].actions[DELIVERED]]
    assert acts == [MEET, LEAVE, ENTER]


def test_alternatives_of_one_type_act_once_and_one_without_conditions_always() -> None:
    either = [
        {"type": PLACED, "where": {"data.channel": "web"}},
        {"type": PLACED, "where": {"data.vip": True}},
    ]
    [action] = [a for a in plan_of(shop(made_by=either)).journeys[0].actions[PLACED] if a.target == 0]
    assert action.alternatives is not None
    assert applies(action.alternatives, {"data.vip": True})
    assert applies(action.alternatives, {"data.channel": "web"})
    assert not applies(action.alternatives, {"data.channel": "shop", "data.vip": False})
    [always] = [
        a for a in plan_of(shop(made_by=[*either, PLACED])).journeys[0].actions[PLACED] if a.target == 0
    ]
    assert always.alternatives is None


def test_a_condition_on_a_due_time_compares_instants() -> None:
    due = {"type": PLACED, "where": {"data.due": ["2026-03-05T10:00:00+01:00", "soon"]}}
    [action] = [a for a in plan_of(shop(made_by=[due])).journeys[0].actions[PLACED] if a.target == 0]
    assert action.alternatives is not None
    assert applies(action.alternatives, {"data.due": us("2026-03-05 09:00")})
    assert not applies(action.alternatives, {"data.due": us("2026-03-05 10:00")})


def test_true_is_not_one_and_an_absent_field_equals_nothing() -> None:
    one = {"type": DELIVERED, "where": {"data.count": [1, "none"]}}
    [action] = [a for a in plan_of(shop(met_by=[one])).journeys[0].actions[DELIVERED] if a.act == MEET]
    assert action.alternatives is not None
    assert applies(action.alternatives, {"data.count": 1})
    assert not applies(action.alternatives, {"data.count": True})
    assert not applies(action.alternatives, {})


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), ["web", float("inf")]])
def test_a_condition_on_a_number_that_json_does_not_have_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError, match="is no number that a touchpoint can have; write a finite one"):
        plan_of(shop(met_by=[{"type": DELIVERED, "where": {"data.count": value}}]))
