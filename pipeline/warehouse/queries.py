"""Questions that the command line and the console ask of the warehouse.

In: a warehouse, and what is asked for. Out: plain values, all instants aware and UTC. What always holds: the
last revision of each finding counts and withdrawn ones do not; persons are those of today, whatever person a
touchpoint was published under.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pipeline.warehouse.client import Warehouse


@dataclass(frozen=True, slots=True)
class TouchpointRow:
    """A touchpoint on a time line; `stages_entered` and `stages_left` are what it did to the person's
    journeys.
    """

    time: datetime
    type: str
    source: str
    id: str
    owner: str
    mapped: bool
    outcome: str
    late: bool
    journey_ids: list[str]
    stages_entered: list[str]
    stages_left: list[str]
    identities: dict[str, str]


@dataclass(frozen=True, slots=True)
class JourneyRow:
    """A journey as it stands; `stages` are those that it is in, each with its entry in `stages_since`."""

    journey_id: str
    journey_type: str
    journey_key: str
    status: str
    opened_at: datetime
    ended_at: datetime | None
    last_at: datetime
    touchpoints: int
    stages: list[str]
    stages_since: list[datetime]


@dataclass(frozen=True, slots=True)
class PromiseRow:
    """The last revision of a promise; `gap_hours` is how late it was met."""

    finding_id: str
    rule: str
    status: str
    journey_id: str
    made_at: datetime
    made_by: str
    owed_by: str
    due_at: datetime
    met_at: datetime | None
    cancelled_at: datetime | None
    gap_hours: float | None
    revision: int


@dataclass(frozen=True, slots=True)
class ValueRow:
    """The last revision of a promise of a figure. `promised_from` and `promised_to` are one but in a range; `observed` is
    what was made (`measured`) of so many `observations`, in `unit` (empty: it has none); a positive `gap` is worse.
    """

    finding_id: str
    rule: str
    kind: str
    status: str
    journey_id: str
    made_at: datetime
    made_by: str
    owed_by: str
    measured: str
    unit: str
    promised_from: float | None
    promised_to: float | None
    observed: float | None
    observations: int
    gap: float | None
    observed_at: datetime | None
    closes_at: datetime | None
    closed_at: datetime | None
    cancelled_at: datetime | None
    revision: int


@dataclass(frozen=True, slots=True)
class StallRow:
    """The last revision of a stall; `since` is entry plus limit, `left_at` None while the customer is there. What was given
    up (`abandoned_at`) is over all the same.
    """

    finding_id: str
    person_id: UUID
    journey_id: str
    stage: str
    owner: str
    status: str
    entered_at: datetime
    since: datetime
    limit_seconds: float
    left_at: datetime | None
    abandoned_at: datetime | None


@dataclass(frozen=True, slots=True)
class TimeLine:
    """Everything of one person, each list in order of time."""

    person_id: UUID
    touchpoints: list[TouchpointRow]
    journeys: list[JourneyRow]
    promises: list[PromiseRow]
    values: list[ValueRow]
    stalls: list[StallRow]


@dataclass(frozen=True, slots=True)
class StageRow:
    """How customers got stuck in a stage, times in hours beyond the limit.

    `stuck_hours` adds up all customers, each until left or given up, to `as_of` for those still in; `mean_hours` and
    `median_hours` are times to resolution, of the resolved alone, None without any.
    """

    stage: str
    owner: str
    stalls: int
    open: int
    customers: int
    stuck_hours: float
    mean_hours: float | None
    median_hours: float | None


_TODAY = """multiIf(
        moved.version > held.moved_version, moved.person_id, held.moved_version > 0, held.moved_to, held.person_id
    )"""
"""The person of a row of `touchpoints`, joined with its override: as in the view `touchpoints_resolved`."""

_BORN = f"""
WITH held AS
(
    SELECT DISTINCT person_id, identifier, moved_to, moved_version FROM touchpoints FINAL
    WHERE has(mapValues(identities), %(value)s)
)
SELECT DISTINCT {_TODAY} AS person
FROM held
LEFT ANY JOIN
(
    SELECT born_person_id, identifier, person_id, version FROM person_overrides FINAL
    WHERE (born_person_id, identifier) IN (SELECT person_id, identifier FROM held)
) AS moved
ON held.person_id = moved.born_person_id AND held.identifier = moved.identifier
ORDER BY person"""  # noqa: S608 - made of constants

_ON_TIME_LINE = "time, type, source, id, owner, mapped, outcome, late, journey_ids, stages_entered, stages_left, identities"
# One half for each index, because no condition with OR between their columns can use both. What is in both is left out at
# the end and not here: `came` is read more than once, and a squash may empty it in between.
_TOUCHPOINTS = f"""
WITH
    came AS
    (
        SELECT born_person_id, identifier, person_id, version FROM person_overrides FINAL
        WHERE person_id = %(person)s
    ),
    moved AS
    (
        SELECT * FROM came
        UNION ALL
        SELECT born_person_id, identifier, person_id, version FROM person_overrides FINAL
        WHERE born_person_id IN
            (SELECT toUUID(%(person)s) UNION ALL SELECT person_id FROM touchpoints WHERE moved_to = %(person)s)
    ),
    held AS
    (
        SELECT {_ON_TIME_LINE}, person_id, identifier, moved_to, moved_version FROM touchpoints FINAL
        WHERE person_id IN (SELECT toUUID(%(person)s) UNION ALL SELECT born_person_id FROM came)
            AND (person_id = %(person)s OR (person_id, identifier) IN (SELECT born_person_id, identifier FROM came))
        UNION ALL
        SELECT {_ON_TIME_LINE}, person_id, identifier, moved_to, moved_version FROM touchpoints FINAL
        WHERE moved_to = %(person)s
    )
SELECT {_ON_TIME_LINE}
FROM held
LEFT ANY JOIN moved ON held.person_id = moved.born_person_id AND held.identifier = moved.identifier
WHERE {_TODAY} = %(person)s
ORDER BY time, source, id
LIMIT 1 BY time, source, id"""  # noqa: S608 - made of constants

_JOURNEYS = """
SELECT journey_id, journey_type, journey_key, status, opened_at, ended_at, last_at, touchpoints,
    stages.stage, stages.entered_at
FROM journeys FINAL
WHERE person_id = %(person)s AND status != 'withdrawn'
ORDER BY opened_at, journey_id"""

_PROMISES = """
SELECT finding_id, rule, status, journey_id, made_at, made_by, owed_by, due_at, met_at, cancelled_at, gap_hours, revision
FROM promises FINAL
WHERE person_id = %(person)s AND status != 'withdrawn'
ORDER BY made_at, finding_id"""

_VALUES = """
SELECT finding_id, rule, kind, status, journey_id, made_at, made_by, owed_by, measured, unit, promised_from, promised_to,
    observed, observations, gap, observed_at, closes_at, closed_at, cancelled_at, revision
FROM value_promises FINAL
WHERE person_id = %(person)s AND status != 'withdrawn'
ORDER BY made_at, finding_id"""

_STALLS = """
SELECT finding_id, person_id, journey_id, stage, owner, status, entered_at, since, limit_seconds, left_at, abandoned_at
FROM stalls FINAL
WHERE person_id = %(person)s AND status != 'withdrawn'
ORDER BY since, finding_id"""

_STUCK = """
SELECT finding_id, person_id, journey_id, stage, owner, status, entered_at, since, limit_seconds, left_at, abandoned_at
FROM stalls FINAL
WHERE status IN ('opened', 'escalated')
ORDER BY since, finding_id
LIMIT %(limit)s"""

_STAGES = """
SELECT
    stage, owner, count() AS stalls, countIf(status IN ('opened', 'escalated')) AS open,
    uniqExact(person_id) AS customers,
    sum(greatest(0, date_diff('second', since,
        coalesce(abandoned_at, left_at, toDateTime64(%(as_of)s, 6, 'UTC'))))) / 3600 AS stuck_hours,
    if(countIf(status = 'resolved') = 0, NULL,
        avgIf(date_diff('second', since, left_at), status = 'resolved') / 3600) AS mean_hours,
    if(countIf(status = 'resolved') = 0, NULL,
        quantileExactIf(0.5)(date_diff('second', since, assumeNotNull(left_at)), status = 'resolved') / 3600)
        AS median_hours
FROM stalls FINAL
WHERE status != 'withdrawn'
GROUP BY stage, owner
ORDER BY stuck_hours DESC, stage"""


def persons_of(warehouse: Warehouse, value: str) -> list[UUID]:
    """The persons of today who have a touchpoint with this identifier value, of whatever kind; or whose id it
    is.
    """
    found = [person for (person,) in warehouse.query(_BORN, {"value": value})]
    try:
        person = UUID(value)
    except ValueError:
        return found
    known = warehouse.query("SELECT 1 FROM living_persons WHERE person_id = %(person)s", {"person": person})
    return [*found, person] if known and person not in found else found


def time_line(warehouse: Warehouse, person: UUID) -> TimeLine:
    """Everything that belongs to one person today."""
    asked = {"person": str(person)}
    return TimeLine(
        person,
        [TouchpointRow(*row) for row in warehouse.query(_TOUCHPOINTS, asked)],
        [JourneyRow(*row) for row in warehouse.query(_JOURNEYS, asked)],
        [PromiseRow(*row) for row in warehouse.query(_PROMISES, asked)],
        [ValueRow(*row) for row in warehouse.query(_VALUES, asked)],
        [StallRow(*row) for row in warehouse.query(_STALLS, asked)],
    )


def journey_of(warehouse: Warehouse, value: str) -> list[TimeLine]:
    """The time line of each person who has this identifier value: usually one, none if it is unknown."""
    return [time_line(warehouse, person) for person in persons_of(warehouse, value)]


def slowest_stages(warehouse: Warehouse, as_of: datetime) -> list[StageRow]:
    """The swamplands: stages with stalls, those that cost customers the most time first."""
    moment = as_of.strftime("%Y-%m-%d %H:%M:%S.%f")
    return [StageRow(*row) for row in warehouse.query(_STAGES, {"as_of": moment})]


def stuck_customers(warehouse: Warehouse, limit: int = 20) -> list[StallRow]:
    """Who is stuck, the longest first."""
    return [StallRow(*row) for row in warehouse.query(_STUCK, {"limit": limit})]
