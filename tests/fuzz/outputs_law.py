"""The law of what is published: of any touchpoint that is accepted, the contracts take it, and so does the warehouse."""

from __future__ import annotations

from fuzzed_map import COMPANY, KEY
from pydantic import TypeAdapter
from records import TIMESTAMP, FuzzedRecord

from pipeline.core.run import MemoryPipeline, RunConfig
from pipeline.ports import Record
from pipeline.warehouse.rows import finding_blocks, state_blocks, touchpoint_blocks
from schemas.enriched import EnrichedTouchpoint
from schemas.finding import Finding
from schemas.state import StateRecord

_enriched = TypeAdapter(EnrichedTouchpoint).validate_json
_finding: TypeAdapter[Finding] = TypeAdapter(Finding)
_state: TypeAdapter[StateRecord] = TypeAdapter(StateRecord)
_CONFIG = RunConfig(KEY, TIMESTAMP * 1000, dead_letter_max_share=1.0)


def check(data: bytes) -> str:
    """Whether it was accepted."""
    pipeline = MemoryPipeline(COMPANY, _CONFIG, keeps_enriched=True)
    pipeline.feed("sales", data, b"k")
    pipeline.work()
    pipeline.tick(TIMESTAMP * 1000)
    pipeline.drain()
    published = pipeline.published
    assert len(published.enriched) + len(published.dead_letters) == 1
    for value in published.enriched:
        _enriched(value)
    for value in published.findings.values():
        _finding.validate_json(value)
    for value in published.states.values():
        _state.validate_json(value)
    _is_stored(published.enriched, list(published.findings.values()), published.states)
    return "accepted" if published.enriched else "refused"


def _is_stored(enriched: list[bytes], findings: list[bytes], states: dict[bytes, bytes]) -> None:
    def refuse(record: Record, reason: str) -> None:
        raise AssertionError(f"the warehouse refuses what was published: {reason}, {record.value!r}")

    touchpoint_blocks([FuzzedRecord(value) for value in enriched], refuse)
    finding_blocks([FuzzedRecord(value) for value in findings], refuse)
    state_blocks([FuzzedRecord(value, key=key) for key, value in states.items()], refuse)
