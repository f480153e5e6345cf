"""A map in which one promise or stage has another rule, to see what goes wrong without its own."""

from __future__ import annotations

from typing import Any

from schemas.journey_map import JourneyMap


def without(journey_map: JourneyMap, name: str, **changes: Any) -> JourneyMap:
    """The map with a promise or a stage that has something else in place of its rule."""
    journeys = {}
    for type_, journey in journey_map.journeys.items():
        rules = {
            kind: {
                each: rule.model_copy(update=changes) if each == name else rule
                for each, rule in getattr(journey, kind).items()
            }
            for kind in ("promises", "stages")
        }
        journeys[type_] = journey.model_copy(update=rules)
    return journey_map.model_copy(update={"journeys": journeys})
