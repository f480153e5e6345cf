"""The trail: all touchpoints of a person, in order of time, sequence, source and id.

It is kept in segments of at most `SEGMENT` entries, each with its own table of origins, so that a batch
writes only the segments that it changed. The last segment, the *tail*, takes what arrives in order. No
segment but the tail of an empty trail is empty, and every entry of a segment comes before every entry of
the next.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from mypy_extensions import mypyc_attr

from pipeline.core.journey import EntryKey, order, place_behind
from pipeline.core.messages import Entry, Origin, Steps, Token
from pipeline.core.stored import Order

SEGMENT: Final = 16
"""Entries of a segment. A batch writes the whole tail, half a segment on average, for each person it
touches.
"""
OriginKey = tuple[Steps, str, int]


def origin_key(origin: Origin) -> OriginKey:
    """What tells an origin from another: its steps, the person it was born under and its moves."""
    return (origin.steps, origin.born, origin.moves)


@mypyc_attr(acyclic=True)
class Segment:
    """A run of entries and the origins that their `path` indexes.

    `number` names it in the store; the tail, kept in the person's head, has none. `_packed` are the first of
    the entries as they were packed last, and `_packed_origins` the first origins, because a tail is written again and
    again. `_places` finds an origin in the table; None: it has not been asked. `packed_bytes`: how long it was, packed, when
    that was last done.
    """

    __slots__ = (
        "_packed",
        "_packed_origins",
        "_places",
        "entries",
        "is_dirty",
        "number",
        "origins",
        "packed_bytes",
    )

    def __init__(
        self, origins: list[Origin], entries: list[Entry], number: int | None = None, packed_bytes: int = 0
    ) -> None:
        self.packed_bytes = packed_bytes
        self.origins = origins
        self.entries = entries
        self.number = number
        self.is_dirty = True
        self._packed: list[bytes] = []
        self._packed_origins: list[bytes] = []
        self._places: dict[OriginKey, int] | None = None

    def place_of(self, key: OriginKey) -> int:
        """The index of the origin in the table, to which it is added if it is new."""
        places = self._places
        if places is None:
            places = self._places = {origin_key(origin): place for place, origin in enumerate(self.origins)}
        place = places.get(key)
        if place is None:
            place = places[key] = len(self.origins)
            self.origins.append(Origin(key[0], key[1], key[2]))
        return place

    def append(self, entry: Entry) -> None:
        """Add an entry that comes after all others."""
        self.entries.append(entry)
        self.is_dirty = True

    def insert(self, entry: Entry) -> None:
        """Add an entry, whose origin is known, in its place."""
        place = place_behind(self.entries, order(entry))
        self.entries.insert(place, entry)
        if place < len(self._packed):
            self._packed.insert(place, _pack(entry))
        self.is_dirty = True

    def change(self, entry: Entry) -> None:
        """An entry of the segment has changed."""
        self.is_dirty = True
        packed, entries = self._packed, self.entries
        # most of them are new in this batch, and so behind all that is packed
        if packed and entry.time <= entries[len(packed) - 1].time:
            for place in range(len(packed)):
                if entries[place] is entry:
                    packed[place] = _pack(entry)
                    break

    def restrict(self, entries: list[Entry]) -> None:
        """Keep only these entries, and only the origins that they need."""
        kept = sorted({entry.path for entry in entries})
        renumbered = {old: new for new, old in enumerate(kept)}
        self.origins = [self.origins[old] for old in kept]
        for entry in entries:
            entry.path = renumbered[entry.path]
        self.entries = entries
        self._packed = []
        self._packed_origins = []
        self.is_dirty = True
        self._places = None

    def seal(self) -> None:
        """It is written, and not likely to be so soon again: let go of what would make that cheaper."""
        self._packed = []
        self._packed_origins = []
        self._places = None
        self.is_dirty = False

    def pack(self) -> bytes:
        """The segment as a msgpack `Run`."""
        packed, origins = self._packed, self._packed_origins
        if len(packed) < len(self.entries):
            packed.extend([_pack(entry) for entry in self.entries[len(packed) :]])
        if len(origins) < len(self.origins):
            origins.extend([_pack(origin) for origin in self.origins[len(origins) :]])
        value = b"".join([b"\x92", _array(len(origins)), *origins, _array(len(packed)), *packed])
        self.packed_bytes = len(value)
        return value


_pack: Final = msgspec.msgpack.Encoder().encode


def _array(length: int) -> bytes:
    """How a msgpack array of up to 65,535 elements begins."""
    return b"\xdc" + length.to_bytes(2, "big")


@mypyc_attr(acyclic=True)
class Trail:
    """The segments, and every entry by its duplicate key.

    `dropped` are numbers of stored segments that are no more; `next_number` is the next one to give.
    """

    __slots__ = ("dropped", "index", "next_number", "segments")

    def __init__(self, segments: list[Segment], next_number: int = 0) -> None:
        self.segments = segments
        self.next_number = next_number
        self.dropped: list[int] = []
        self.index: dict[EntryKey, Entry] = {
            (entry.source, entry.id): entry for segment in segments for entry in segment.entries
        }

    def __len__(self) -> int:
        return len(self.index)

    def __iter__(self) -> Iterator[Entry]:
        for segment in self.segments:
            yield from segment.entries

    @property
    def packed_bytes(self) -> int:
        """How long all segments were when they were packed last."""
        return sum([segment.packed_bytes for segment in self.segments])

    @property
    def tail(self) -> Segment:
        return self.segments[-1]

    def add(self, entry: Entry, origin: OriginKey) -> bool:
        """Take in an entry that is not there yet. Whether its origin is new to its segment."""
        segment = self.segments[-1]
        entries = segment.entries
        is_last = not entries or entry.time > entries[-1].time or order(entry) > order(entries[-1])
        if not is_last:
            segment = self.segment_of(entry)
        elif len(entries) >= SEGMENT:
            segment = self._begin_tail()
        known = len(segment.origins)
        entry.path = place = segment.place_of(origin)
        if is_last:
            segment.append(entry)
        else:
            segment.insert(entry)
        self.index[entry.source, entry.id] = entry
        if len(segment.entries) > SEGMENT:
            self.split(segment)
        return place == known

    def remove(self, entry: Entry) -> Origin:
        """Take out an entry; its origin."""
        segment = self.segment_of(entry)
        origin = segment.origins[entry.path]
        entries = [other for other in segment.entries if other is not entry]
        self._forget([entry])
        self._replace(segment, entries)
        return origin

    def origin_of(self, entry: Entry) -> OriginKey:
        """How an entry of the trail came."""
        return origin_key(self.segment_of(entry).origins[entry.path])

    def take(self, identifier: Token, version: int) -> list[tuple[list[Origin], list[Entry]]]:
        """Take out what came by `identifier` at an older version, in groups of at most `SEGMENT` entries."""
        groups = []
        for segment in list(self.segments):
            leaving = {
                place
                for place, origin in enumerate(segment.origins)
                if any(token == identifier and passed < version for token, passed in origin.steps)
            }
            if leaving:
                groups.append(self._part(segment, leaving))
        return [group for group in groups if group[1]]

    def cut(self) -> tuple[list[Origin], list[Entry]]:
        """Take out the oldest segment; there have to be two."""
        segment = self.segments[0]
        self._forget(segment.entries)
        self._replace(segment, [])
        return segment.origins, segment.entries

    def segment_of(self, entry: Entry) -> Segment:
        """The segment that holds an entry of the trail, or would hold it."""
        segments = self.segments
        tail = segments[-1]
        if len(segments) == 1 or entry.time > tail.entries[0].time:
            return tail
        return segments[self._position(order(entry))]

    def split(self, segment: Segment) -> None:
        """Halve a segment that has become too large to be kept in one piece."""
        position = self.segments.index(segment)
        half = len(segment.entries) // 2
        first = Segment(list(segment.origins), [])
        first.restrict(segment.entries[:half])
        self._number(first)
        segment.restrict(segment.entries[half:])
        self.segments.insert(position, first)

    def tokens(self) -> set[Token]:
        """Every identifier that brought an entry here."""
        return {token for segment in self.segments for origin in segment.origins for token, _ in origin.steps}

    def _position(self, place: Order) -> int:
        return max(0, bisect_right(self.segments, place, key=lambda segment: order(segment.entries[0])) - 1)

    def _begin_tail(self) -> Segment:
        self._number(self.tail)
        tail = Segment([], [])
        self.segments.append(tail)
        return tail

    def _number(self, segment: Segment) -> None:
        segment.number = self.next_number
        segment.is_dirty = True
        self.next_number += 1

    def _part(self, segment: Segment, leaving: set[int]) -> tuple[list[Origin], list[Entry]]:
        parted = Segment(list(segment.origins), [])
        gone = [entry for entry in segment.entries if entry.path in leaving]
        rest = [entry for entry in segment.entries if entry.path not in leaving]
        self._forget(gone)
        parted.restrict(gone)
        self._replace(segment, rest)
        return parted.origins, parted.entries

    def _forget(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            del self.index[entry.source, entry.id]

    def _replace(self, segment: Segment, entries: list[Entry]) -> None:
        """Let a segment have only these entries; drop it if there are none and it is not the last one left."""
        if entries or len(self.segments) == 1:
            segment.restrict(entries)
            return
        position = self.segments.index(segment)
        del self.segments[position]
        if segment.number is not None:
            self.dropped.append(segment.number)
        elif position == len(self.segments):
            # the tail is gone: the segment before it takes its place in the head
            tail = self.segments[-1]
            if tail.number is not None:
                self.dropped.append(tail.number)
                tail.number = None
            tail.is_dirty = True
