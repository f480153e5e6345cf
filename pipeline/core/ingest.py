"""Ingest: one partition of a source topic in; routes, claims and marks on `identity.touchpoints` out.

Each record becomes a touchpoint, sent to the partition of its strongest identifier, and for each weaker
reference on it a claim, sent to that reference's partition; or a dead letter that says why not. A *tick*
record (header `throughline-tick`: an RFC 3339 instant or microseconds; no value) is the producer's word
that everything before its instant has been sent.

What always holds:
- A record leaves a route or a dead letter, or it is a tick. Nothing is skipped.
- A mark follows, in every partition, all that it speaks of. It never goes back, and no touchpoint whose
  time is
  ahead of its record's own moves it.
- A claim or a link that was sent is sent again only if it has become lesser; sending it again would change nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from pipeline.core.dead_letters import DeadLetterLimit, RefusedError, dead_letter, encode_headers
from pipeline.core.frames import FrameWriter
from pipeline.core.instants import MINUTE, checked, parse_instant
from pipeline.core.messages import Claim, Heard, IdentityMark, Micros, Pair, Route, Token
from pipeline.core.recent import Recent
from pipeline.core.stored import IngestState, reader
from pipeline.core.tokens import Tokens, partition_of_token
from pipeline.core.touchpoints import Plan, Read, Reader
from pipeline.ports import Headers, Outbox, Record, Store
from schemas.dead_letter import ErrorCode

TICK_HEADER: Final = "throughline-tick"
STAGE: Final = "ingest"
_STATE: Final = b"state"
_encode: Final = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True)
class IngestConfig:
    """`topic` is the source's; `partitions` are those of `identity_topic`. Times are microseconds.

    `live`: a source that is silent follows the wall clock, less `lateness`; otherwise only its events and
    ticks move its time. `claims_remembered` is how many claims are known as sent.
    """

    topic: str
    identity_topic: str
    dead_letter_topic: str
    partitions: int
    lateness: Micros
    mark_interval: Micros
    live: bool
    max_touchpoint_bytes: int
    dead_letter_window: int
    dead_letter_max_share: float
    claims_remembered: int = 50_000


_unpack_state: Final = reader(IngestState)


class Ingest:
    """The logic of one partition of a source topic.

    `counts` counts, since this object was built: `touchpoints`, `claims`, `links`, `ticks`, `blocked_identifiers`,
    `invalid_identifiers`, `dead_letters`, and for each error code `dead_letters.<code>`.
    """

    def __init__(
        self, partition: int, store: Store, config: IngestConfig, plan: Plan, tokens: Tokens
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._config = config
        self._store = store
        self._channel = f"{config.topic}/{partition}"
        self._reader = Reader(plan, tokens, config.max_touchpoint_bytes, self.counts)
        self._claimed: Recent[tuple[Token, Token], tuple[Micros, str, str]] = Recent(config.claims_remembered)
        stored = store.get(_STATE)
        self._state = _unpack_state(_STATE, stored) if stored else IngestState()
        self._limit = DeadLetterLimit(self._channel, config.dead_letter_window, config.dead_letter_max_share)
        self._limit.restore(self._state.seen, self._state.refused)

    @property
    def watermark(self) -> Micros | None:
        """The time reached; None before the first touchpoint or tick."""
        return self._state.mark

    def process(self, records: Iterable[Record], outbox: Outbox) -> None:
        """Raises TooManyDeadLettersError."""
        writer = FrameWriter(outbox, self._config.identity_topic, self._config.partitions)
        limit, read, now, accepted = self._limit, self._reader.read, None, 0
        for record in records:
            limit.seen += 1
            now = record.timestamp
            try:
                if record.headers and self._is_tick(record):
                    continue
                found = read(record)
                route = _encode_route(found)
            except RefusedError as refused:
                self._refuse(record, refused, outbox)
            except (
                Exception
            ) as error:  # the record is kept, and a bug that refuses many is stopped by the limit
                self._refuse(record, _unexpected(error), outbox)
            else:
                self._send(found, route, now, writer)
                accepted += 1
        self.counts["touchpoints"] += accepted
        self._advance(self._state.newest - self._config.lateness)
        if now is not None and self._is_due(now):
            self._send_mark(writer, now)
        writer.flush()
        self._save()

    def quiet(self, now: Micros, outbox: Outbox) -> bool:
        """Tell the time that was not told yet; live, the wall clock less lateness."""
        state, config = self._state, self._config
        silent_until = now - config.lateness
        if config.live and (state.sent is None or silent_until >= state.sent + config.mark_interval):
            self._advance(silent_until)
        if state.mark == state.sent:
            return False
        writer = FrameWriter(outbox, config.identity_topic, config.partitions)
        self._send_mark(writer, now // 1000)
        writer.flush()
        self._save()
        return True

    def _send(self, found: Read, route: bytes, timestamp: int, writer: FrameWriter) -> None:
        writer.append(partition_of_token(found.to, self._config.partitions), route)
        for reference in found.references:
            self._claim(reference, found, writer)
        for weaker in found.personal:
            self._link(weaker, found, writer)
        time = found.touchpoint.entry.time
        if self._state.newest < time <= timestamp * 1000 + MINUTE:
            self._state.newest = time

    def _claim(self, reference: Token, found: Read, writer: FrameWriter) -> None:
        entry, owner = found.touchpoint.entry, found.to
        claim = (entry.time, entry.source, entry.id)
        sent = self._claimed.get((reference, owner))
        if sent is not None and sent <= claim:
            return
        self._claimed.put((reference, owner), claim)
        self.counts["claims"] += 1
        writer.add(partition_of_token(reference, self._config.partitions), Claim(reference, owner, *claim))

    def _link(self, weaker: Token, found: Read, writer: FrameWriter) -> None:
        entry = found.touchpoint.entry
        ends = (weaker, found.to) if weaker < found.to else (found.to, weaker)
        link = (entry.time, entry.source, entry.id)
        if found.are_one is not None:
            self.counts["links"] += 1
            pair = Pair(link if found.are_one else None, (link, found.are_one))
            writer.add(partition_of_token(ends[0], self._config.partitions), Heard(*ends, pair))
            return
        sent = self._claimed.get(ends)
        if sent is not None and sent <= link:
            return
        self._claimed.put(ends, link)
        self.counts["links"] += 1
        writer.add(partition_of_token(ends[0], self._config.partitions), Heard(*ends, Pair(link)))

    def _refuse(self, record: Record, refused: RefusedError, outbox: Outbox) -> None:
        headers = encode_headers(record.headers, dead_letter(record, refused, STAGE))
        outbox.send(self._config.dead_letter_topic, record.value, key=record.key, headers=headers)
        self.counts["dead_letters"] += 1
        self.counts[f"dead_letters.{refused.code}"] += 1
        self._limit.refuse(refused.code)

    def _is_tick(self, record: Record) -> bool:
        tick = _tick_of(record.headers)
        if tick is None:
            return False
        if record.value:
            raise _bad_tick("comes with a value; send a tick as a record of its own, without one")
        self._advance(_parse_tick(tick))
        self.counts["ticks"] += 1
        return True

    def _advance(self, mark: Micros) -> None:
        state = self._state
        if mark > (-1 if state.mark is None else state.mark):
            state.mark = mark

    def _is_due(self, timestamp: int) -> bool:
        """Whether there is something to say and it is time for it, by the records' own clock."""
        state = self._state
        if state.mark == state.sent:
            return False
        # a producer's clock may go back; that must not silence the source
        return state.sent_at is None or abs(timestamp - state.sent_at) * 1000 >= self._config.mark_interval

    def _send_mark(self, writer: FrameWriter, timestamp: int) -> None:
        state = self._state
        if state.mark is not None:
            writer.add_to_all(IdentityMark(self._channel, [state.mark]))
            state.sent, state.sent_at = state.mark, timestamp

    @property
    def owes(self) -> bool:
        """Whether time has come further than was said: `quiet` says the rest."""
        return self._state.mark != self._state.sent

    def _save(self) -> None:
        self._state.seen, self._state.refused = self._limit.state()
        self._store.put(_STATE, _encode(self._state))


def _encode_route(found: Read) -> bytes:
    try:
        return _encode(Route(found.to, (), found.touchpoint))
    except OverflowError:
        message = "a field that the journey map uses is a whole number beyond 64 bits; write it in quotes"
        raise RefusedError(ErrorCode.INVALID_VALUE, "data", message) from None


def _tick_of(headers: Headers) -> bytes | None:
    for name, value in headers:
        if name == TICK_HEADER:
            return value
    return None


def _parse_tick(text: bytes) -> Micros:
    try:
        tick = text.decode()
        return checked(int(tick)) if tick.isdigit() else parse_instant(tick)
    except ValueError:
        raise _bad_tick("is neither an RFC 3339 instant nor microseconds since 1970") from None


def _bad_tick(what: str) -> RefusedError:
    return RefusedError(ErrorCode.BAD_HEADERS, f"headers.{TICK_HEADER}", f"the header {TICK_HEADER} {what}")


def _unexpected(error: Exception) -> RefusedError:
    return RefusedError(
        ErrorCode.UNEXPECTED,
        "",
        f"the record could not be processed ({type(error).__name__}: {error}); report this",
    )


def tick_headers(instant: Micros) -> Headers:
    """The headers of a tick record."""
    return [(TICK_HEADER, str(instant).encode())]
