"""The law of stored state: a value of a changelog is read, or an error names its key.

An input is a line with a stage and a key (`journey 70a1…`, in hex), then the value that stands under it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from uuid import UUID

from fuzzed_map import COMPANY, KEY, ROOT, stays
from records import TIMESTAMP

from pipeline.core.identity import Identity
from pipeline.core.instants import micros
from pipeline.core.journey_stage import JourneyStage
from pipeline.core.persons import HEAD, head_key, person_id
from pipeline.core.run import IDENTITY, JOURNEYS, STAYS, MemoryPipeline, MemoryStore, RunConfig
from pipeline.core.stored import UnreadableStateError
from pipeline.core.tokens import kind_of

STAGES = {"ingest": "touchpoints.sales", "identity": IDENTITY, "journey": JOURNEYS, "learner": STAYS}
_EXAMPLES = ROOT / "examples" / "touchpoints" / "good"
_TIME = micros(datetime(2026, 4, 29, tzinfo=UTC))
"""Up to here time goes: what is learned has not been forgotten yet."""
_VISITS = 70
"""So many that a trail is cut: bases and forgotten touchpoints are kept as well."""


def _pipeline() -> MemoryPipeline:
    return MemoryPipeline(COMPANY, RunConfig(KEY, TIMESTAMP * 1000, trail_entries=40, duplicate_ids=20))


@cache
def good_state() -> dict[tuple[str, bytes], bytes]:
    """Everything that the stages keep after a small run, by stage and key."""
    pipeline = _pipeline()
    events = [json.loads(path.read_bytes()) for path in sorted(_EXAMPLES.glob("*.json"))]
    order = {"customer_id": "C-1", "order_id": "O-1"}
    pattern = {**json.loads(Path(_EXAMPLES, "sales.order.placed.json").read_bytes()), "identities": order}
    events += [
        {**pattern, "id": f"v{number}", "time": f"2026-04-{1 + number % 28:02}T10:00:00Z"}
        for number in range(_VISITS)
    ]
    for event in [*events, *stays()]:
        pipeline.feed("sales", json.dumps(event).encode())
    pipeline.work()
    pipeline.tick(_TIME)
    pipeline.work()  # and no silence: so states are owed, and that is kept too
    return {
        (stage, key): value
        for stage, topic in STAGES.items()
        for key, value in pipeline._stores[topic, 0].items()
    }


def entry(stage: str, key: bytes, value: bytes) -> bytes:
    """The input that puts `value` there."""
    return f"{stage} {key.hex()}\n".encode() + value


def check(data: bytes) -> str:
    """What became of it: `read`, or `refused`."""
    line, _, value = data.partition(b"\n")
    stage, _, digits = line.decode("ascii", "replace").partition(" ")
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        return "no key"
    if (stage, key) not in good_state():
        return "no key"
    try:
        _read_all(stage, key, value)
    except UnreadableStateError as error:
        assert error.key == key or error.key[1:17] == key[1:17], (
            "the error names the key, or its person's head"
        )
        assert len(str(error)) < 1000
        return "refused"
    return "read"


def _read_all(stage: str, key: bytes, value: bytes) -> None:
    """Open the stage over the good state with one value changed, and unpack everything that it keeps."""
    pipeline, queue = _pipeline(), (STAGES[stage], 0)
    store = pipeline._stores[queue] = MemoryStore(
        {at: kept for (of, at), kept in good_state().items() if of == stage}
    )
    store[key] = value
    pipeline.restart(queue)
    logic = pipeline._logics[queue]
    if isinstance(logic, Identity):
        for at in list(store):
            if at.startswith(b"r") and kind_of(at[1:].decode("utf-8", "replace")):
                logic._reference(at[1:].decode("utf-8", "replace"))
    elif isinstance(logic, JourneyStage):
        for at in list(store):
            if at.startswith(HEAD) and len(at) == len(head_key(str(UUID(int=0)))):
                logic._memory.persons.get(person_id(at))
            elif at.startswith(b"l"):
                logic._memory.limits._of(int.from_bytes(at[1:], "big"))
