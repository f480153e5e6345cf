"""Published records as the pipeline publishes them, for the warehouse's tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from pydantic import BaseModel

from pipeline.core.dead_letters import encode_headers
from pipeline.topology import Topology
from schemas.dead_letter import DeadLetter, ErrorCode
from schemas.enriched import EnrichedTouchpoint, JourneyContext
from schemas.finding import (
    PromiseDetail,
    PromiseFinding,
    PromiseStatus,
    StallDetail,
    StallFinding,
    StallStatus,
    ValueDetail,
    ValueFinding,
    ValueStatus,
)
from schemas.state import (
    IdentifierState,
    JourneyState,
    LearnedState,
    LinkState,
    PersonOverride,
    PersonState,
    StageCounts,
    StageVisit,
)

TOPOLOGY = Topology()
ANNA = UUID("8a000000-0000-8000-8000-00000000000a")
BERT = UUID("8b000000-0000-8000-8000-00000000000b")
ORDER_7 = UUID("87000000-0000-8000-8000-000000000007")


@dataclass(frozen=True)
class Consumed:
    """A consumed record."""

    topic: str
    offset: int
    value: bytes | None
    key: bytes | None = None
    partition: int = 0
    timestamp: int = 1_540_000_000_000
    headers: tuple[tuple[str, bytes], ...] = ()


def at(text: str) -> datetime:
    """`2018-05-02 10:00` (UTC)."""
    return datetime.fromisoformat(text + "+00:00")


def published(models: list[BaseModel], topic: str, first_offset: int = 0) -> list[Consumed]:
    """The models as records of a topic, one offset each."""
    return [
        Consumed(topic, first_offset + n, model.model_dump_json().encode(), key=b"k")
        for n, model in enumerate(models)
    ]


def letter(offset: int, value: bytes | None = b"{", time: str = "2018-05-02 10:00") -> Consumed:
    """A dead letter at `offset`, of a malformed record at the same offset of a source."""
    refused = DeadLetter(
        code=ErrorCode.MALFORMED_JSON,
        path="data",
        message="not JSON",
        stage="ingest",
        topic=TOPOLOGY.source("sales"),
        partition=0,
        offset=offset,
        time=at(time),
    )
    headers = encode_headers([("content-type", b"application/json")], refused)
    return Consumed(TOPOLOGY.dead_letter, offset, value, key=b"k\xfe", headers=tuple(headers))


def touchpoint(id: str, time: str, **changes: object) -> EnrichedTouchpoint:  # noqa: A002 - the field's name
    """A parcel's hand-over of Anna's, unless changed."""
    fields: dict[str, object] = {
        "id": id,
        "source": "/carrier",
        "type": "fulfilment.parcel.handed_over",
        "time": at(time),
        "identities": {"order_id": "o-7", "customer_id": "c-1"},
        "data": {"weight": 1.5, "city": "São Paulo"},
        "person_id": str(ANNA),
        "identifier": "customer_id:" + "0a" * 16,
        "domain": "fulfilment",
        "owner": "logistics",
        "mapped": True,
        "late": False,
        "journeys": [
            JourneyContext(
                journey_id="order:o-7",
                journey_type="order",
                journey_key="o-7",
                stages=["in_transit"],
                entered=["in_transit"],
                left=["packing"],
            )
        ],
    }
    return EnrichedTouchpoint.model_validate({**fields, **changes})


CLOCK: dict[str, Any] = {
    "calendar": "office",
    "attributes": {"campaign": "spring", "product": "“7”"},
    "clock": {
        "started_at": "2018-05-01T08:00:00.5Z",
        "target_seconds": 3600.5,
        "spent_seconds": 7200,
        "paused_at": "2018-05-01T09:30:00Z",
        "paused_seconds": 60,
        "resets": 2,
    },
    "warnings": [
        {"share": share, "at": "2018-05-01T08:30:00Z", "status": status}
        for share, status in ((0.25, "skipped"), (0.5, "passed"), (0.75, "passed"), (0.9, "ahead"))
    ],
    "escalation": {"step": 2, "to": "head", "at": "2018-05-03T09:00:00Z"},
}
"""What a promise or a stall may say of its clock."""
LEDGER: dict[str, Any] = {
    **CLOCK,
    "per": "parcel ö",
    "revisions": {
        "count": 3,
        "judged_by": "best",
        "first_due_at": "2018-05-03T09:00:00Z",
        "latest_due_at": "2018-05-04T09:00:00.25Z",
        "best_due_at": "2018-05-02T09:00:00Z",
    },
    "parts": {"needed": 4, "brought": 1.5},
}
"""What a promise may say besides."""
LEARNED: dict[str, Any] = {
    "quantile": 0.95,
    "times": 1.5,
    "ended": 412,
    "low_seconds": 79_200.25,
    "high_seconds": 93_600,
    "segment": "Ögun's",
    "learned_at": "2018-05-01T00:00:00Z",
}
"""What a stall may say of a limit that was learned."""
FORECAST: dict[str, Any] = {
    "probability": 0.125,
    "threshold": 0.5,
    "ended": 1_302,
    "segment": "express",
    "learned_at": "2018-04-30T00:00:00Z",
}
"""What a promise may say of earlier ones."""


def _details(changes: dict[str, object]) -> dict[str, Any]:
    """What a finding's detail says beyond what it always says: `detail` of the changes."""
    return cast("dict[str, Any]", changes.pop("detail", {}))


def promise(
    finding_id: str, made: str, status: PromiseStatus = "made", revision: int = 0, **changes: object
) -> PromiseFinding:
    """A delivery promise of Anna's order, due after two days; `met` hours after its due time if given."""
    made_at = at(made)
    due_at = made_at + timedelta(days=2)
    met = changes.pop("met_hours_late", None)
    detail = PromiseDetail(
        kind="deadline",
        made_at=made_at,
        made_by="sales.order.placed",
        due_at=due_at,
        at_risk_at=made_at + timedelta(days=1.5),
        met_at=due_at + timedelta(hours=float(str(met))) if met is not None else None,
        gap_hours=float(str(met)) if met is not None else None,
        owed_by="logistics",
        **_details(changes),
    )
    fields: dict[str, object] = {
        "finding_id": finding_id,
        "rule": "delivery",
        "revision": revision,
        "status": status,
        "person_id": str(ANNA),
        "journey_id": "order:o-7",
        "journey_type": "order",
        "journey_key": "o-7",
        "opened_at": made_at,
        "detected_at": due_at,
        "evidence": ["/shop#1"],
        "owner": "logistics",
        "severity": "warning",
        "detail": detail,
    }
    return PromiseFinding.model_validate({**fields, **changes})


def figure(
    finding_id: str, made: str, status: ValueStatus = "made", revision: int = 0, **changes: object
) -> ValueFinding:
    """A consumption that was promised to Anna."""
    made_at = at(made)
    detail = ValueDetail(
        kind="at_most",
        made_at=made_at,
        made_by="marketing.ad.seen",
        owed_by="engines",
        basis="touchpoint",
        measured="mean",
        observations=3,
        promised_from=6,
        promised_to=6,
        unit="l/100km",
        observed=7.8,
        gap=0.3,
    )
    fields: dict[str, object] = {
        "finding_id": finding_id,
        "rule": "consumption",
        "revision": revision,
        "status": status,
        "person_id": str(ANNA),
        "journey_id": "car:c-7",
        "journey_type": "car",
        "journey_key": "c-7",
        "opened_at": made_at,
        "detected_at": made_at,
        "evidence": ["/ads#1"],
        "owner": "engines",
        "severity": "warning",
        "detail": detail,
    }
    return ValueFinding.model_validate({**fields, **changes})


def stall(
    finding_id: str, entered: str, status: StallStatus = "opened", revision: int = 0, **changes: object
) -> StallFinding:
    """A visit of Anna's to `in_transit`, limit a day; left `stuck_hours` beyond it, given up `given_up_hours` beyond it, if
    these are there.
    """
    details = _details(changes)
    entered_at = at(entered)
    since = entered_at + timedelta(days=1)
    stuck, given_up = changes.pop("stuck_hours", None), changes.pop("given_up_hours", None)
    detail = StallDetail(
        stage=str(changes.get("rule", "in_transit")),
        entered_at=entered_at,
        since=since,
        limit_seconds=86400.0,
        limit_kind="learned" if "learned" in details else "declared",
        left_at=since + timedelta(hours=float(str(stuck))) if stuck is not None else None,
        abandoned_at=since + timedelta(hours=float(str(given_up))) if given_up is not None else None,
        **details,
    )
    fields: dict[str, object] = {
        "finding_id": finding_id,
        "rule": "in_transit",
        "revision": revision,
        "status": status,
        "person_id": str(ANNA),
        "journey_id": "order:o-7",
        "journey_type": "order",
        "journey_key": "o-7",
        "opened_at": entered_at,
        "detected_at": since,
        "evidence": ["/carrier#1"],
        "owner": "logistics",
        "severity": "critical",
        "detail": detail,
    }
    return StallFinding.model_validate({**fields, **changes})


def journey(version: int = 0, **changes: object) -> JourneyState:
    fields: dict[str, object] = {
        "journey_id": "order:o-7",
        "journey_type": "order",
        "journey_key": "o-7",
        "person_id": str(ANNA),
        "version": version,
        "status": "open",
        "opened_at": at("2018-05-01 09:00"),
        "last_at": at("2018-05-02 10:00"),
        "touchpoints": 2,
        "stages": [StageVisit(stage="in_transit", entered_at=at("2018-05-02 10:00"))],
    }
    return JourneyState.model_validate({**fields, **changes})


def person(person_id: UUID, touchpoints: int, version: int = 0) -> PersonState:
    return PersonState(
        person_id=str(person_id),
        version=version,
        touchpoints=touchpoints,
        first_at=at("2018-05-01 09:00") if touchpoints else None,
        last_at=at("2018-05-02 10:00") if touchpoints else None,
        identifiers=["customer_id:" + "0a" * 16] if touchpoints else [],
    )


def override(born: UUID, identifier: str, owner: UUID, version: int = 0) -> PersonOverride:
    return PersonOverride(
        born_person_id=str(born), identifier=identifier, person_id=str(owner), version=version
    )


def linked(one: str, other: str, version: int = 0, **changes: object) -> LinkState:
    """Two identifiers that are one person, Anna, since a touchpoint of May 2018."""
    fields: dict[str, object] = {
        "one": one,
        "other": other,
        "status": "joined",
        "linked_at": at("2018-05-01 09:00"),
        "linked_source": "/shop",
        "linked_id": "1",
        "persons": [str(ANNA), str(ANNA)],
        "version": version,
    }
    return LinkState.model_validate({**fields, **changes})


def identified(
    identifier: str, whose: UUID, named_by: str, version: int = 0, *, shared: bool = False
) -> IdentifierState:
    return IdentifierState(
        identifier=identifier, person_id=str(whose), named_by=named_by, shared=shared, version=version
    )


def learned(rule: str, day: str, ended: int, version: int = 0, **changes: object) -> LearnedState:
    """Of a stage, from so many stays that ended."""
    fields: dict[str, object] = {
        "of": "stage",
        "rule": rule,
        "day": at(f"{day} 00:00"),
        "ended": ended,
        "limit_seconds": 7200.5,
        "low_seconds": 3600.0,
        "high_seconds": 9000.0,
        "percentiles": [60.0, 120.0],
        "version": version,
    }
    return LearnedState.model_validate({**fields, **changes})


def counts(partition: int, version: int = 0, **counted: int) -> StageCounts:
    return StageCounts(stage="journey", partition=partition, version=version, counts=counted)
