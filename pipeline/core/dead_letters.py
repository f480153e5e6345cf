"""Dead letters: a refused record in, its headers out, and back; and the limit past which refusing is no
answer.

A dead letter is the original key, value and headers, byte for byte, and beside them what went wrong in
headers that begin with `throughline-error-`. Encoding is deterministic.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping

from pydantic import ValidationError

from pipeline.core.instants import FIRST, LAST, moment
from pipeline.errors import shortened
from pipeline.ports import Headers, Record
from schemas.dead_letter import DeadLetter, ErrorCode

PREFIX = "throughline-error-"
_NAMES = {"time": "timestamp"}
"""Fields of `DeadLetter` whose header has another name."""
FOREIGN = ""
"""The stage of a record that is on the dead-letter topic and is no dead letter."""
_PARTITIONS, _OFFSETS = 2**31, 2**63
MESSAGE_CHARACTERS = 1000
PATH_CHARACTERS = 250
"""A reason quotes the record, which may consist of one endless name: what is longer loses its middle."""


class RefusedError(Exception):
    """A record cannot be processed: `code`, `path` in the record (empty for the whole), and one sentence."""

    def __init__(self, code: ErrorCode, path: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.path = path
        self.message = message


def dead_letter(record: Record, refused: RefusedError, stage: str) -> DeadLetter:
    return DeadLetter(
        code=refused.code,
        path=shortened(refused.path, PATH_CHARACTERS),
        message=shortened(refused.message, MESSAGE_CHARACTERS),
        stage=stage,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        # a producer may have written any number
        time=moment(min(max(FIRST, record.timestamp * 1000), LAST)),
    )


def encode_headers(original: Headers, letter: DeadLetter) -> list[tuple[str, bytes | None]]:
    """The headers of a dead letter. Of a record that was one before and was replayed, the old reasons go."""
    reasons = letter.model_dump(mode="json")
    return [
        *original_headers(original),
        *((PREFIX + _NAMES.get(name, name), str(value).encode()) for name, value in reasons.items()),
    ]


def decode_headers(headers: Headers) -> DeadLetter:
    """What went wrong, from a dead letter's headers. Raises ValueError if they are not those of a dead
    letter.
    """
    found = {name: value for name, value in headers if name.startswith(PREFIX)}
    try:
        fields: Mapping[str, str] = {
            name: (found[PREFIX + _NAMES.get(name, name)] or b"").decode() for name in DeadLetter.model_fields
        }
        letter = DeadLetter.model_validate(fields)
    except (KeyError, UnicodeDecodeError, ValidationError) as error:
        reason = shortened(str(error), MESSAGE_CHARACTERS)
        raise ValueError(f"these are not the headers of a dead letter: {reason}") from error
    if not (0 <= letter.partition < _PARTITIONS and 0 <= letter.offset < _OFFSETS):
        raise ValueError(
            "these are not the headers of a dead letter: no Kafka has such a partition or offset"
        )
    return letter


def letter_of(record: Record) -> DeadLetter:
    """Why a record is on the dead-letter topic. Of one that is none of ours: that, and its own place as its origin."""
    try:
        return decode_headers(record.headers)
    except ValueError as error:
        reason = str(error).splitlines()[0]
        message = f"{reason}; something else writes to this topic"
        return dead_letter(record, RefusedError(ErrorCode.UNEXPECTED, "", message), FOREIGN)


def original_headers(headers: Headers) -> list[tuple[str, bytes | None]]:
    """The headers that the record had before it was refused."""
    return [(name, value) for name, value in headers if not name.startswith(PREFIX)]


class TooManyDeadLettersError(Exception):
    """More records of a source were refused than a bad record here and there explains."""


class DeadLetterLimit:
    """Counts the refused among the last `window` records of one source partition.

    Raises TooManyDeadLettersError as soon as they are more than `max_share` of the window. `state()` is
    what a successor needs, so that a worker that was stopped does not start to count anew.
    """

    def __init__(self, source: str, window: int, max_share: float) -> None:
        self.seen = 0
        self._source = source
        self._window = window
        self._most = window * max_share
        self._max_share = max_share
        self._refused: deque[tuple[int, str]] = deque()

    def restore(self, seen: int, refused: Iterable[tuple[int, str]]) -> None:
        self.seen = seen
        self._refused = deque(refused)

    def state(self) -> tuple[int, list[tuple[int, str]]]:
        """How many records were seen, and the numbers and codes of the refused among the last `window`."""
        self._forget()
        return self.seen, list(self._refused)

    def refuse(self, code: ErrorCode) -> None:
        """The record that was seen last was refused."""
        self._refused.append((self.seen, code.value))
        self._forget()
        if len(self._refused) > self._most:
            raise TooManyDeadLettersError(self._sentence())

    def _forget(self) -> None:
        first = self.seen - self._window
        while self._refused and self._refused[0][0] <= first:
            self._refused.popleft()

    def _sentence(self) -> str:
        code, times = Counter(code for _, code in self._refused).most_common(1)[0]
        return (
            f"{self._source}: {len(self._refused)} of the last {min(self.seen, self._window)} records were "
            f"refused, {times} of them for {code}; mend what writes to this topic (`throughline dlq show` "
            f"has examples), or raise dead_letter_max_share above {self._max_share:g} to keep them all"
        )
