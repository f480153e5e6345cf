"""One partition of the journey stage, told what happens in plain words; everything it says is read by
contract.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import msgspec
from pydantic import TypeAdapter

from pipeline.core.evaluation import JourneyConfig
from pipeline.core.frames import IDENTITY_FRAMES, STAY_FRAMES, FrameWriter
from pipeline.core.instants import micros, moment
from pipeline.core.journey_stage import JourneyStage
from pipeline.core.learning import period_of
from pipeline.core.messages import (
    Arrive,
    Carry,
    Entry,
    JourneyMark,
    JourneyMessage,
    Limit,
    Limits,
    Parcel,
    Receive,
    Release,
    StayMessage,
    Steps,
    Touchpoint,
)
from pipeline.core.outputs import Event, encode
from pipeline.core.plan import Plan, compile_plan
from pipeline.core.run import MemoryRecord, MemoryStore
from pipeline.core.tokens import Tokens, person_of
from pipeline.maps import resolve
from schemas.enriched import EnrichedTouchpoint
from schemas.finding import Finding, PromiseFinding, StallFinding, ValueFinding
from schemas.journey_map import JourneyMap
from schemas.state import JourneyState, PersonOverride, PersonState, StageCounts, StateRecord

PLACED = "sales.order.placed"
CALLED_OFF = "sales.order.cancelled"
APPROVED = "billing.payment.approved"
SHIPPED = "fulfilment.parcel.shipped"
DELIVERED = "fulfilment.parcel.delivered"
QUEUED = "service.call.queued"
ANSWERED = "service.call.answered"
REVIEWED = "survey.review.answered"

SHOP: dict[str, Any] = {
    "version": 1,
    "name": "shop",
    "touchpoints": {
        **{kind: {"owner": "shop"} for kind in (PLACED, CALLED_OFF)},
        APPROVED: {"owner": "billing"},
        **{kind: {"owner": "logistics"} for kind in (SHIPPED, DELIVERED)},
        **{kind: {"owner": "service"} for kind in (QUEUED, ANSWERED)},
        REVIEWED: {"owner": "insights"},
    },
    "journeys": {
        "order": {
            "key": "identities.order_id",
            "end": [REVIEWED],
            "promises": {
                "delivery": {
                    "made_by": PLACED,
                    "due": {"field": "data.due"},
                    "met_by": DELIVERED,
                    "cancelled_by": CALLED_OFF,
                    "owed_by": "logistics",
                },
                "approval": {
                    "made_by": PLACED,
                    "due": {"within": "24h"},
                    "met_by": APPROVED,
                    "owed_by": "billing",
                    "severity": "critical",
                },
            },
            "stages": {
                "in_transit": {"enter": SHIPPED, "leave": DELIVERED, "expected": "14d", "owner": "logistics"},
                "on_hold": {
                    "enter": QUEUED,
                    "leave": ANSWERED,
                    "expected": "2h",
                    "owner": "service",
                    "visits": "many",
                },
            },
        }
    },
}

_finding: TypeAdapter[PromiseFinding | ValueFinding | StallFinding] = TypeAdapter(Finding)
_state: TypeAdapter[JourneyState | PersonState | PersonOverride | StageCounts] = TypeAdapter(StateRecord)


def plan_of(journey_map: dict[str, Any]) -> Plan:
    return compile_plan(resolve(JourneyMap.model_validate(journey_map)))


def at(text: str) -> datetime:
    """A UTC instant, `2026-03-01 09:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def us(text: str) -> int:
    return micros(at(text))


def event_json(name: str, kind: str, time: int, identities: dict[str, str], data: bytes) -> bytes:
    """What ingest writes of a touchpoint of the shop."""
    return encode(Event(name, "shop", kind, moment(time), None, None, identities, msgspec.Raw(data)))


class Story:
    """A partition, and what it has published. Times are texts in UTC, `2026-03-01 09:00`."""

    def __init__(self, journey_map: dict[str, Any] = SHOP, **bounds: Any) -> None:
        self.store = MemoryStore()
        self.bounds = bounds
        self.findings: list[PromiseFinding | ValueFinding | StallFinding] = []
        self.states: list[JourneyState | PersonState | PersonOverride] = []
        self.counted: list[StageCounts] = []
        self.enriched: list[EnrichedTouchpoint] = []
        self.carried: list[Carry] = []
        self.stayed: list[StayMessage] = []
        self.keys: list[tuple[str, bytes | None]] = []
        self.pending: list[JourneyMessage] = []
        self.numbers: Counter[str] = Counter()
        self.open(journey_map)

    def open(self, journey_map: dict[str, Any] = SHOP) -> None:
        """Begin, or begin again, over the state that is there."""
        self.plan = plan_of(journey_map)
        self.tokens = Tokens("a test's key", self.plan.kinds)
        config = JourneyConfig(
            "identity", "stays", "enriched", "findings", "state", partitions=1, **self.bounds
        )
        self.stage = JourneyStage(0, self.store, config, self.plan)

    # -- what happens

    def happens(
        self,
        when: str,
        kind: str,
        *,
        order: str | None = "7",
        customer: str = "ann",
        name: str | None = None,
        path: Steps | None = None,
        sequence: str = "",
        version: str = "",
        **data: Any,
    ) -> str:
        """A touchpoint arrives. `name` is its id, a new one if absent; `path` names another way to the
        customer.
        """
        self.numbers[kind] += 1
        name = name or f"{kind}-{self.numbers[kind]}"
        customer_token = self.tokens.token("customer_id", customer)
        touchpoint = self.touchpoint(when, kind, name, order, sequence, version, data)
        steps = path or ((customer_token, 0),)
        self.say(Arrive(person_of(steps[-1][0]), steps, touchpoint))
        return name

    def touchpoint(
        self,
        when: str,
        kind: str,
        name: str,
        order: str | None,
        sequence: str,
        version: str,
        data: dict[str, Any],
    ) -> Touchpoint:
        identities = {"order_id": order} if order else {}
        everything = {f"data.{key}": value for key, value in data.items()}
        everything |= {f"identities.{key}": value for key, value in identities.items()}
        fields = {
            path: us(everything[path]) if is_instant else everything[path]
            for path, is_instant in self.plan.projection(kind)
            if everything.get(path) is not None
        }
        content = msgspec.json.encode([when, kind, identities, data])
        digest = version.encode() or blake2b(content, digest_size=8).digest()
        raw = msgspec.json.encode(data)
        event = event_json(name, kind, us(when), identities, raw)
        return Touchpoint(Entry(us(when), sequence, "shop", name, kind, digest, fields), event)

    def releases(self, identifier: str, version: int, via: str, *, customer: str | None = None) -> None:
        """The person of `customer`, or of the identifier itself, gives up what came by the identifier."""
        person = self.person(customer) if customer else person_of(identifier)
        self.say(Release(person, identifier, version, via))

    def receives(self, parcel: Parcel, customer: str) -> None:
        self.say(Receive(self.person(customer), parcel))

    def learns(self, when: str, rule: str, limits: dict[str | None, Limit | None]) -> None:
        """The learner tells what holds for what begins on this day, by segment."""
        period = period_of(us(when))
        self.say(Limits(period, [(rule, segment, limit) for segment, limit in limits.items()]))

    def say(self, message: JourneyMessage) -> None:
        self.pending.append(message)

    def until(self, when: str) -> Story:
        """A batch ends; the watermark has reached this instant."""
        self.say(JourneyMark("identity/0", us(when)))
        return self.batch()

    def batch(self) -> Story:
        """A batch ends."""
        collected: list[bytes] = []
        writer = FrameWriter(_Collector(collected), "journeys", 1)
        for message in self.pending:
            writer.add(0, message)
        writer.flush()
        self.pending = []
        self.stage.process([MemoryRecord("journeys", 0, 0, 0, None, value, ()) for value in collected], self)
        return self

    def quiet(self) -> Story:
        """Nothing comes for a while."""
        while self.stage.quiet(0, self):
            pass
        return self

    # -- what was published

    def send(
        self,
        topic: str,
        value: bytes,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Any = None,
    ) -> None:
        self.keys.append((topic, key))
        if topic == "findings":
            self.findings.append(_finding.validate_json(value))
        elif topic == "state":
            state = _state.validate_json(value)
            if isinstance(state, StageCounts):
                self.counted.append(state)
            else:
                self.states.append(state)
        elif topic == "enriched":
            self.enriched.append(EnrichedTouchpoint.model_validate_json(value))
        elif topic == "stays":
            self.stayed += STAY_FRAMES.decode(MemoryRecord(topic, 0, 0, 0, None, value, ()))
        else:
            messages = IDENTITY_FRAMES.decode(MemoryRecord(topic, 0, 0, 0, None, value, ()))
            self.carried += [message for message in messages if isinstance(message, Carry)]

    def person(self, customer: str = "ann") -> str:
        return person_of(self.token("customer_id", customer))

    def token(self, kind: str, value: str) -> str:
        return self.tokens.token(kind, value)

    def last(self, rule: str) -> Any:
        """The last revision of the one finding of a rule."""
        [found] = self.all(rule)
        return found

    def all(self, rule: str) -> list[Any]:
        """The last revision of every finding of a rule, by when it opened."""
        last = {finding.finding_id: finding for finding in self.findings if finding.rule == rule}
        return sorted(last.values(), key=lambda finding: (finding.opened_at, finding.finding_id))

    def told(self, rule: str) -> list[str]:
        """Every status published of a rule, in order."""
        return [finding.status for finding in self.findings if finding.rule == rule]

    def journeys(self) -> dict[str, JourneyState]:
        """The last state of each journey, by its key."""
        states = [state for state in self.states if isinstance(state, JourneyState)]
        return {state.journey_key: state for state in sorted(states, key=lambda state: state.version)}

    def persons(self) -> dict[str, PersonState]:
        """The last state of each person."""
        states = [state for state in self.states if isinstance(state, PersonState)]
        return {state.person_id: state for state in sorted(states, key=lambda state: state.version)}

    def overrides(self) -> Iterator[PersonOverride]:
        return (state for state in self.states if isinstance(state, PersonOverride))


class _Collector:
    def __init__(self, values: list[bytes]) -> None:
        self.values = values

    def send(self, topic: str, value: bytes, **_: Any) -> None:
        self.values.append(value)
