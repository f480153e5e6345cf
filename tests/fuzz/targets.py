"""Every decoder that is fuzzed: its name, the law that holds for any bytes, and how a good input is broken.

A law raises for a defect. What it returns says what became of the input, so that a corpus that no longer reaches
anything shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import documents_law
import frames_law
import ingest_law
import letters_law
import outputs_law
import server_law
import state_law
import tables_law
from mutations import (
    Mutate,
    mutate_file,
    mutate_json,
    mutate_msgpack,
    mutate_packets,
    mutate_record,
    mutate_state,
    mutate_yaml,
)
from records import FuzzedRecord, parse

CORPUS = Path(__file__).with_name("corpus")
Check = Callable[[bytes], str]


@dataclass(frozen=True)
class Target:
    """`check` raises for a defect; `prepare` loads what it would load at its first input."""

    name: str
    check: Check
    mutate: Mutate
    prepare: Callable[[], object] = bool

    def corpus(self) -> list[Path]:
        return sorted((CORPUS / self.name).iterdir())

    def mutant(self, seed: int) -> bytes:
        """A broken copy of one of the corpus, the same for the same seed."""
        random = Random(seed)
        return self.mutate(random.choice(self.corpus()).read_bytes(), random)


TARGETS = {
    target.name: target
    for target in (
        Target("touchpoint_json", lambda data: ingest_law.check(FuzzedRecord(data)), mutate_json),
        Target("binary_mode", lambda data: ingest_law.check(parse(data)), mutate_record),
        Target("frames", frames_law.check, mutate_msgpack),
        Target("state", state_law.check, mutate_state),
        Target("map", documents_law.check_map, mutate_yaml),
        Target("mapping", documents_law.check_mapping, mutate_yaml),
        Target("tables", tables_law.check, mutate_file),
        Target("dead_letters", lambda data: letters_law.check(parse(data)), mutate_record),
        Target("outputs", outputs_law.check, mutate_json),
        Target("warehouse_server", server_law.check, mutate_packets, server_law.start),
    )
}
