"""What the linker does: new links a second, and bytes that it keeps of an identifier.

    python -m benchmarks.linker [--persons 100000] [--late 0.05] [--batch 5000]

Each person is one customer number, an e-mail address and a cookie, linked in this order; a share of the links comes late,
which has its person computed anew. One process, no broker: the linker's own limit, since it is one partition.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator, Mapping, Sequence

from agents import garbage
from benchmarks.machine import machine
from pipeline.core.frames import FrameWriter
from pipeline.core.linker import Linker, LinkerConfig
from pipeline.core.linking import rules_of
from pipeline.core.messages import Heard, Pair
from pipeline.core.run import IDENTITY, LINKS, STATE, MemoryRecord, MemoryStore
from pipeline.core.tokens import Tokens
from pipeline.ports import Headers
from schemas.identifiers import DEFAULT_IDENTIFIERS


class _Frames:
    """An outbox that keeps records of the links' topic and counts all others."""

    def __init__(self) -> None:
        self.records: list[MemoryRecord] = []
        self.told = 0

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Headers | None = None,
    ) -> None:
        if topic == LINKS:
            record = MemoryRecord(topic, partition or 0, len(self.records), 0, key, value, headers or ())
            self.records.append(record)
        else:
            self.told += 1


def links(persons: int, late: float) -> list[Heard]:
    """Two links a person, in order of time but for those that come late."""
    dice, tokens = random.Random(7), Tokens("a benchmark's key", DEFAULT_IDENTIFIERS)

    def of(number: int) -> Iterator[Heard]:
        customer, address, cookie = (
            tokens.token(kind, value)
            for kind, value in (
                ("customer_id", str(number)),
                ("email", f"{number}@example.com"),
                ("cookie", str(number)),
            )
        )
        for place, ends in enumerate(((customer, address), (address, cookie))):
            one, other = sorted(ends)
            yield Heard(one, other, Pair((2 * number + place, "shop", str(number))))

    found = [(link.pair.link or (0, "", ""), link) for number in range(persons) for link in of(number)]
    due = [
        (place[0] + (dice.randint(1, 2 * persons) if dice.random() < late else 0), link)
        for place, link in found
    ]
    return [link for _, link in sorted(due, key=lambda each: each[0])]


def frames(coming: Sequence[Heard]) -> list[MemoryRecord]:
    outbox = _Frames()
    writer = FrameWriter(outbox, LINKS, 1)
    for link in coming:
        writer.add(0, link)
    writer.flush()
    return outbox.records


def size(store: Mapping[bytes, bytes]) -> int:
    return sum(len(key) + len(value) for key, value in store.items())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--persons", type=int, default=100_000)
    parser.add_argument("--late", type=float, default=0.05, help="share of links that come late")
    parser.add_argument("--batch", type=int, default=5_000, help="links in a batch")
    given = parser.parse_args()
    print(machine())
    coming = links(given.persons, given.late)
    batches = [frames(coming[start : start + given.batch]) for start in range(0, len(coming), given.batch)]
    store, outbox = MemoryStore(), _Frames()
    linker = Linker(store, LinkerConfig(IDENTITY, STATE, 4, rules_of(DEFAULT_IDENTIFIERS)))
    garbage.relax()
    began = time.process_time()
    for batch in batches:
        linker.process(batch, outbox)
    seconds = time.process_time() - began
    identifiers = 3 * given.persons
    print(
        f"{len(coming):,} links of {identifiers:,} identifiers, {given.late:.0%} late: "
        f"{len(coming) / seconds:,.0f} links/s of one core, {seconds / len(coming) * 1e6:.1f} µs each; "
        f"{size(store) / identifiers:.0f} bytes kept of an identifier; "
        f"{linker.counts['computed_anew']:,} identifiers computed anew"
    )


if __name__ == "__main__":
    main()
