"""Squashing: the overrides of `person_overrides` go into the touchpoints that they speak of, and out of their table.

In: a warehouse, and a way to wait until it holds all that was published so far. Out: `touchpoints` whose rows say
themselves whom they belong to, and only those overrides that came meanwhile. What always holds:

- Whoever asks gets the same answer before, between any two statements, and after. A row that was rewritten has the
  version of its override in `moved_version`, and only a newer override counts for it. Nothing is deleted before every
  row that it speaks of was rewritten.
- A rewritten row replaces the one it was made of, however often that is inserted again, and gives way to a later
  publication of its touchpoint: its version is the same place in the topic and, below that, its `moved_version`.
- Killed anywhere, it is begun again, with no memory of the first attempt: what was rewritten is right as it is. Two at
  once do each other's work twice, and no harm: of two rows made of one, that of the newer override wins.

`docs/adr/0010-squashed-overrides.md` has the proof and the alternatives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.rows import MOVED_BITS

TOGETHER = 1_000_000
"""Overrides that are squashed at a time: ClickHouse holds so many in memory."""

_Key = tuple[UUID, str]
_FIRST: _Key = (UUID(int=0), "")

_TAKE = """
INSERT INTO squashed_overrides (run, born_person_id, identifier, person_id, version)
SELECT toUUID(%(run)s), born_person_id, identifier, person_id, version
FROM person_overrides FINAL
WHERE born_person_id >= %(born)s AND (born_person_id, identifier) > (toUUID(%(born)s), %(identifier)s)
ORDER BY born_person_id, identifier
LIMIT %(limit)s"""

_TAKEN = "SELECT born_person_id, identifier, person_id, version FROM squashed_overrides WHERE run = %(run)s"
_ALL = "SELECT born_person_id, identifier, person_id, version FROM person_overrides FINAL"

_LAST_TAKEN = """
SELECT count(), max((born_person_id, identifier)) FROM squashed_overrides WHERE run = %(run)s"""

# A row that was written before there was a squash has its bare place as version, which is below 2^64.
_PLACE = f"""if(
        base.moved_version = 0 AND base.version < bitShiftLeft(toUInt128(1), {MOVED_BITS}),
        base.version, bitShiftRight(base.version, {MOVED_BITS})
    )"""
_REWRITTEN = f"bitShiftLeft({_PLACE}, {MOVED_BITS}) + taken.version"

# The PREWHERE reads two columns of what has not moved, and all of the rest. It is applied before FINAL, and so may let a
# version through that is not the last; what is made of that does not win either.
_STALE = """(
    SELECT * FROM touchpoints FINAL
    PREWHERE (person_id, identifier) IN (SELECT born_person_id, identifier FROM ({overrides}))
    {where}
) AS base
INNER JOIN ({overrides}) AS taken
ON base.person_id = taken.born_person_id AND base.identifier = taken.identifier
WHERE taken.version > base.moved_version"""

_OLD = f"""
person_overrides AS old
INNER JOIN ({_TAKEN}) AS taken
ON old.born_person_id = taken.born_person_id AND old.identifier = taken.identifier
WHERE old.version {{compared}} taken.version"""

_DELETE = f"""
ALTER TABLE person_overrides DELETE WHERE (born_person_id, identifier, version) IN
(SELECT old.born_person_id, old.identifier, old.version FROM {_OLD})
SETTINGS mutations_sync = 2, allow_nondeterministic_mutations = 1"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class Squashed:
    """What was done, or would be: overrides taken, touchpoints rewritten, and the months (202605) that these are in."""

    overrides: int = 0
    touchpoints: int = 0
    months: frozenset[int] = frozenset()

    def __add__(self, other: Squashed) -> Squashed:
        return Squashed(
            self.overrides + other.overrides,
            self.touchpoints + other.touchpoints,
            self.months | other.months,
        )


def preview(warehouse: Warehouse) -> Squashed:
    """What a squash would do now; nothing is changed. Raises WarehouseError."""
    ((overrides,),) = warehouse.query("SELECT count() FROM person_overrides FINAL")
    stale = dict(warehouse.query(_stale_by_month(_ALL)))
    return Squashed(overrides, sum(stale.values()), frozenset(stale))


def squash(
    warehouse: Warehouse, catch_up: Callable[[], None], settle: Callable[[], None], together: int = TOGETHER
) -> Squashed:
    """Squash the overrides that are there, `together` at a time.

    `catch_up` returns when all touchpoints published before it was called are stored: an override may be there before
    the touchpoints that it speaks of. `settle` returns when questions that were asked before it was called have read all
    overrides that they need: such a one may have read a row before it was rewritten. What these raise ends the squash,
    and so does WarehouseError.
    """
    done, after, taken = Squashed(), _FIRST, together
    while taken == together:
        part = _Part(warehouse, uuid4())
        try:
            taken, after = part.take(after, together)
            if taken:
                catch_up()
                done += Squashed(taken) + part.rewrite()
                settle()
                part.delete()
        finally:
            part.forget()
    return done


class _Part:
    """Overrides that are squashed together, kept under the id of a run."""

    def __init__(self, warehouse: Warehouse, run: UUID) -> None:
        self._warehouse = warehouse
        self._asked = {"run": str(run)}

    def take(self, after: _Key, limit: int) -> tuple[int, _Key]:
        """Take those that are there, behind the key `after`; how many, and the last one's key."""
        born, identifier = after
        self._query(_TAKE, born=str(born), identifier=identifier, limit=limit)
        ((taken, last),) = self._query(_LAST_TAKEN)
        return taken, last

    def rewrite(self) -> Squashed:
        """Put them into the rows that they speak of, a month a statement: ClickHouse writes month by month anyway."""
        stale = dict(self._query(_stale_by_month(_TAKEN)))
        for month in sorted(stale):
            self._query(_rewrite(), month=month)
        return Squashed(0, sum(stale.values()), frozenset(stale))

    def delete(self) -> None:
        """Delete them, and whatever older is still there of them; what they replaced first, so that it never shows."""
        ((replaced,),) = self._query(f"SELECT count() FROM {_OLD.format(compared='<')}")  # noqa: S608 - constants
        for compared in ("<", "<=") if replaced else ("<=",):
            self._query(_DELETE.format(compared=compared))

    def forget(self) -> None:
        """Let go of what was taken."""
        self._query("ALTER TABLE squashed_overrides DROP PARTITION %(run)s")

    def _query(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        return self._warehouse.query(sql, {**self._asked, **parameters})


def _stale_by_month(overrides: str) -> str:
    """How many rows are yet to be rewritten, by month."""
    source = _STALE.format(overrides=overrides, where="")
    return f"SELECT toYYYYMM(base.time) AS month, count() FROM {source} GROUP BY month"  # noqa: S608 - constants


def _rewrite() -> str:
    """Rewrite the rows of a month; they keep the time at which they came, by which they expire."""
    source = _STALE.format(overrides=_TAKEN, where="WHERE toYYYYMM(time) = %(month)s")
    return (
        f"INSERT INTO touchpoints SELECT base.* REPLACE (taken.person_id AS moved_to, "  # noqa: S608 - constants
        f"taken.version AS moved_version, {_REWRITTEN} AS version) FROM {source}"
    )
