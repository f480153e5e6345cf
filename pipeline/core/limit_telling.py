"""What was learned, told: a curve in, a limit to the journey partitions and a state to everybody out."""

from __future__ import annotations

from typing import Literal

from pipeline.core.frames import FrameWriter
from pipeline.core.instants import SECOND, moment
from pipeline.core.learning import PERIOD
from pipeline.core.messages import Limit, Limits
from pipeline.core.outputs import LearnedState, encode
from pipeline.core.rules import LearnedRule
from pipeline.core.survival import Curve
from pipeline.ports import Outbox

Name = tuple[str, str | None]
"""The label of a rule and a segment; None: all."""


class Teller:
    """Tells limits: every journey partition, by way of `writer`, and whoever reads `topic`."""

    def __init__(self, outbox: Outbox, topic: str, writer: FrameWriter) -> None:
        self.writer = writer
        self._outbox = outbox
        self._topic = topic

    def tell(
        self,
        period: int,
        limits: list[tuple[Name, Limit | None]],
        rules: dict[str, LearnedRule],
        version: int,
    ) -> None:
        """What holds from now on for what begins in a period; None: nothing does."""
        for (label, segment), limit in limits:
            state = _state(label, segment, period, limit, version)
            key = f"learned:{label}/{segment or ''}/{state.day:%Y-%m-%d}"
            self._outbox.send(self._topic, encode(state), key.encode())
        self.writer.add_to_all(
            Limits(period, [(*name, _asked_for(limit, rules.get(name[0]))) for name, limit in limits])
        )


def limit_of(curve: Curve, rule: LearnedRule) -> Limit | None:
    """What a rule makes of a curve; None if too little is known."""
    passed = curve.percentiles() if curve.ended >= rule.least else ()
    if not rule.quantile:
        return Limit(curve.ended, passed=passed) if passed else None
    found = curve.quantile(rule.quantile, rule.least)
    if found is None:
        return None
    high = None if found.high is None else round(found.high * rule.times)
    return Limit(found.ended, round(found.duration * rule.times), round(found.low * rule.times), high, passed)


def _asked_for(limit: Limit | None, rule: LearnedRule | None) -> Limit | None:
    """What the journey stage has to know of it: of a stage not the whole curve."""
    if limit is None or rule is None or not rule.quantile:
        return limit
    return Limit(limit.ended, limit.duration, limit.low, limit.high)


def _state(label: str, segment: str | None, period: int, limit: Limit | None, version: int) -> LearnedState:
    of, _, rule = label.partition("/")
    is_stage = of == "stage"
    kind: Literal["stage", "promise"] = "stage" if is_stage else "promise"
    day = moment(period * PERIOD)
    if limit is None:
        return LearnedState(kind, rule, segment, day, 0, None, None, None, [], version)
    high = None if limit.high is None else limit.high / SECOND
    return LearnedState(
        kind,
        rule,
        segment,
        day,
        limit.ended,
        limit.duration / SECOND if is_stage else None,
        limit.low / SECOND if is_stage else None,
        high,
        [duration / SECOND for duration in limit.passed],
        version,
    )
