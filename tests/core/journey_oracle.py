"""The rules of promises and visits once more, by brute force over a journey's sorted touchpoints."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from journey_world import ANSWERED, APPROVED, CALLED_OFF, DELIVERED, PLACED, QUEUED, SHIPPED

HOUR = 3_600_000_000


@dataclass(frozen=True)
class Happening:
    """A touchpoint: times in microseconds. `digest` tells contents under one id apart."""

    time: int
    sequence: str
    name: str
    kind: str
    order: str
    customer: str
    due: int | None
    digest: int = 0

    @property
    def place(self) -> tuple[int, str, str]:
        return (self.time, self.sequence, self.name)


def distinct(happenings: Iterable[Happening]) -> list[Happening]:
    """In trail order, of two contents under one id the one with the smaller digest."""
    kept: dict[str, Happening] = {}
    for happening in happenings:
        other = kept.get(happening.name)
        if other is None or happening.digest < other.digest:
            kept[happening.name] = happening
    return sorted(kept.values(), key=lambda happening: happening.place)


def conclusions(
    happenings: Iterable[Happening], watermark: int
) -> dict[tuple[str, str, str], tuple[Any, ...]]:
    """(rule, order, opening touchpoint) → what has to be published of it last."""
    journeys: dict[str, list[Happening]] = {}
    for happening in distinct(happenings):
        journeys.setdefault(happening.order, []).append(happening)
    found = {}
    for order, trail in journeys.items():
        for rule, made, met, cancelled in (
            ("delivery", PLACED, DELIVERED, CALLED_OFF),
            ("approval", PLACED, APPROVED, None),
        ):
            for making in trail:
                due = making.due if rule == "delivery" else making.time + 24 * HOUR
                if making.kind == made and due is not None:
                    verdict = _verdict(trail, making.time, due, met, cancelled, watermark)
                    found[rule, order, making.name] = verdict
        for rule, pairs, limit in (
            ("in_transit", _once(trail), 14 * 24 * HOUR),
            ("on_hold", _many(trail), 2 * HOUR),
        ):
            for entered, left in pairs:
                if (left.time if left else watermark) - entered.time > limit:
                    found[rule, order, entered.name] = ("resolved", left.name) if left else ("opened",)
    return found


def _verdict(
    trail: list[Happening], made_at: int, due: int, met_by: str, cancelled_by: str | None, watermark: int
) -> tuple[Any, ...]:
    met = next((other for other in trail if other.kind == met_by), None)
    cancelled = next((other for other in trail if other.kind == cancelled_by), None)
    if cancelled and cancelled.time <= due and not (met and met.time <= cancelled.time):
        return ("cancelled", cancelled.name)
    if met:
        return ("kept" if met.time <= due else "broken", met.name)
    if watermark > due:
        return ("broken",)
    return ("at_risk",) if watermark >= made_at + round((max(made_at, due) - made_at) * 0.75) else ("made",)


def _once(trail: list[Happening]) -> list[tuple[Happening, Happening | None]]:
    entries = [other for other in trail if other.kind == SHIPPED]
    exits = [other for other in trail if other.kind == DELIVERED]
    if not entries or (exits and exits[0].place < entries[0].place):
        return []
    return [(entries[0], exits[0] if exits else None)]


def _many(trail: list[Happening]) -> list[tuple[Happening, Happening | None]]:
    pairs: list[tuple[Happening, Happening | None]] = []
    entered = None
    for other in trail:
        if other.kind == QUEUED and entered is None:
            entered = other
        elif other.kind == ANSWERED and entered is not None:
            pairs.append((entered, other))
            entered = None
    return [*pairs, (entered, None)] if entered else pairs
