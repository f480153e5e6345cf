"""The journey map on disk: read, validated, and refused with every problem named by line, field and remedy.

In: a YAML file. Out: a `JourneyMap` whose calendars and units are resolved, or a `MapError`. The contract itself is
`schemas.journey_map`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline import calendars, units
from pipeline.documents import Document, DocumentError, StandIn, load
from schemas.base import Problem
from schemas.journey_map import JourneyMap

_STAND_INS = (
    StandIn(("version",), 1),
    StandIn(("name",), "unnamed"),
    StandIn(("title",)),
    StandIn(("identifiers", "*"), {"kind": "reference", "strength": 1}),
    StandIn(("touchpoints", "*"), {"owner": "nobody"}),
    StandIn(("calendars", "*"), {"zone": "UTC", "hours": {"daily": ["00:00-24:00"]}}),
    *(
        StandIn(("journeys", "*", "stages", "*", name))
        for name in ("visits", "calendar", "severity", "title")
    ),
    StandIn(("journeys", "*", "stages", "*", "expected"), "1h"),
    StandIn(("journeys", "*", "stages", "*", "owner"), "nobody"),
    StandIn(("journeys", "*", "stages", "*")),
    *(StandIn(("journeys", "*", "promises", "*", name)) for name in ("kind", "at_risk", "severity", "title")),
    StandIn(("journeys", "*", "promises", "*", "due"), {"within": "1h"}),
    StandIn(("journeys", "*", "promises", "*", "owed_by"), "nobody"),
    StandIn(("journeys", "*", "promises", "*")),
    StandIn(("journeys", "*", "key"), "subject"),
    StandIn(("journeys", "*", "end")),
    StandIn(("journeys", "*", "title")),
    StandIn(("journeys", "*")),
)


class MapError(DocumentError):
    """A journey map that can't be used; `problems` has all that is wrong with it."""


def load_map(path: Path) -> JourneyMap:
    """Read and validate a journey map. Raises MapError with every problem of the file."""
    return load_map_with_places(path)[0]


def load_map_with_places(path: Path) -> tuple[JourneyMap, Document]:
    """The same with the positions of its file, so that what is found out later can still name the line."""
    try:
        journey_map, document = load(path, JourneyMap, _STAND_INS, _unknown)
        return resolve(journey_map), document
    except DocumentError as error:
        raise MapError(error.problems) from None


def resolve(journey_map: JourneyMap) -> JourneyMap:
    """The map with all that it needs of the world: zones, holidays, units. What it names there is known."""
    return units.resolve(calendars.resolve(journey_map))


def _unknown(content: Any) -> Iterator[Problem]:
    yield from calendars.unknown(content)
    yield from units.unknown(content)
