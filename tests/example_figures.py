"""The figures of the examples, as their data's description has them, and a summary in the same form."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.summary import Summary


@dataclass(frozen=True)
class Figures:
    """`promises`: kept, broken then met, broken, open, cancelled. `stalls`: opened, resolved, open."""

    touchpoints: int
    persons: int
    promises: dict[str, tuple[int, ...]]
    stalls: dict[str, tuple[int, ...]]


OLIST = Figures(
    touchpoints=44_237,
    persons=8_016,
    promises={
        "delivery": (4_755, 415, 2_961, 4, 0),
        "delivery_day": (4_827, 343, 2_961, 4, 0),
        "approval": (6_528, 1_461, 146, 0, 0),
        "hand_over": (6_482, 690, 1_192, 1, 0),
    },
    stalls={"in_transit": (2_118, 935, 1_183)},
)
LOANS = Figures(
    touchpoints=262_200,
    persons=13_087,
    promises={"decision": (11_335, 1_353, 61, 338, 0)},
    stalls={
        "offer_out": (1_864, 1_696, 168),
        "validation_queue": (1_392, 1_380, 12),
        "call_queue": (2_640, 2_628, 12),
    },
)


def figures(summary: Summary) -> Figures:
    return Figures(
        touchpoints=summary.touchpoints,
        persons=summary.persons,
        promises={
            name: (each.kept, each.broken_then_met, each.broken, each.open, each.cancelled)
            for name, each in summary.promises.items()
        },
        stalls={name: (each.opened, each.resolved, each.open) for name, each in summary.stalls.items()},
    )
