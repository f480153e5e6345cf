"""Identifiers in, tokens, persons and partitions out.

A token is `kind:` and 32 hex digits: a keyed BLAKE2b-128 of the kind and the normalised value. A person is
the UUID (version 8) of those 16 bytes, so the token alone says who is meant, and nobody without the key can
say which e-mail address it was. The kind is part of what is hashed: customer 7 and order 7 are not the same
person.

An identifier with a life time is another one in each period. Periods are counted from 1970; the token of such a kind
is `kind:begin:` and the digits, with the minute in which the period begins, which is hashed too. What stands before the
digits is the identifier's *slot*: all its kind has at one time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache, partial
from hashlib import blake2b
from typing import Final, Protocol

from pipeline.core.instants import MINUTE
from pipeline.core.messages import Micros, Token

BLANK: Final = "blank"
BLOCKED: Final = "blocked"
_HEX: Final = 32
_REMEMBERED_PERSONS: Final = 65_536


class Kind(Protocol):
    """What an identifier kind has to say here; `schemas.identifiers.IdentifierKind` does."""

    @property
    def blocked(self) -> Sequence[str]: ...
    @property
    def lives(self) -> timedelta | None:
        """Whole minutes."""
        ...

    def normaliser(self) -> Callable[[str], str]:
        """What brings a value into its one form; it raises ValueError with the reason, which does not quote the value."""
        ...


Identified = tuple[Token, str, str]
"""An identifier's token, its value in the form that counts, and what is wrong with it.

What is no identifier has an empty token; it is blank, blocked, or what its normaliser says. Its value is as it came but
for surrounding blanks.
"""


class _Form:
    """What is done to the values of one kind."""

    def __init__(self, kind: Kind) -> None:
        self.normalise: Callable[[str], str] = kind.normaliser()
        written = [value.strip() for value in kind.blocked]
        # `n/a` is no phone number, but what it says of one is clear; `+49 30 0` has other spellings
        self._blocked: frozenset[str] = frozenset(
            value.lower() for value in [*written, *[self._form(value) for value in written]]
        )

    def of(self, value: str) -> tuple[str, str]:
        """The form that counts, and what is wrong with it."""
        if not value:
            return value, BLANK
        if value.lower() in self._blocked:
            return value, BLOCKED
        try:
            form = self.normalise(value)
        except ValueError as error:
            return value, str(error)
        return form, BLOCKED if form.lower() in self._blocked else ""

    def _form(self, value: str) -> str:
        try:
            return self.normalise(value)
        except ValueError:
            return value


class Tokens:
    """The identifier kinds of a journey map under one secret key. Pure; it remembers `remember` identifiers.

    A kind that the map does not name has no form and no life time: its values only lose surrounding blanks.
    """

    def __init__(self, key: str, kinds: Mapping[str, Kind], remember: int = 100_000) -> None:
        # the secret may have any length; BLAKE2b takes at most 64 bytes
        secret = blake2b(key.encode(), digest_size=32).digest()
        forms = {name: _Form(kind) for name, kind in kinds.items()}
        self._minutes: dict[str, int] = {
            name: kind.lives // timedelta(minutes=1) for name, kind in kinds.items() if kind.lives
        }
        # of a function and not of a method: a cache that holds its owner would outlive it
        self._known: Callable[[str, str, int | None], Identified] = lru_cache(maxsize=remember)(
            partial(_identify, secret, forms)
        )

    def identify(self, kind: str, value: str, at: Micros) -> Identified:
        """The identifier that a value of this kind is at an instant."""
        minutes = self._minutes.get(kind)
        return self._known(kind, value, None if minutes is None else at // MINUTE // minutes * minutes)

    def token(self, kind: str, value: str, at: Micros = 0) -> Token:
        """The same, of what is known to be one. Raises ValueError."""
        token, _, wrong = self.identify(kind, value, at)
        if wrong:
            raise ValueError(f"the value is {wrong}")
        return token


def _identify(secret: bytes, forms: dict[str, _Form], kind: str, value: str, begin: int | None) -> Identified:
    value, wrong = value.strip(), ""
    form = forms.get(kind)
    if form is not None:
        value, wrong = form.of(value)
    elif not value:
        wrong = BLANK
    if wrong:
        return "", value, wrong
    slot = kind if begin is None else f"{kind}:{begin}"
    digest = blake2b(f"{slot}\0{value}".encode(), digest_size=16, key=secret)
    return f"{slot}:{digest.hexdigest()}", value, ""


def slot_of(token: Token) -> str:
    """The identifier kind of a token, with the period if it has a life time."""
    return token[: -_HEX - 1]


def begin_of(token: Token) -> Micros | None:
    """When the period of a token begins; None of a kind without a life time."""
    begin = slot_of(token).partition(":")[2]
    return int(begin) * MINUTE if begin else None


def kind_of(token: Token) -> str:
    """The identifier kind of a token, or of a slot."""
    return token.partition(":")[0]


@lru_cache(maxsize=_REMEMBERED_PERSONS)
def person_of(token: Token) -> str:
    """The person that a token names when nobody owns it: the UUID of its hash, version 8."""
    digits = token[-_HEX:]
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def partition_of_token(token: Token, partitions: int) -> int:
    """The partition of `identity.touchpoints` that knows whose the token is."""
    return int(token[-_HEX : -_HEX + 8], 16) % partitions


def partition_of_person(person: str, partitions: int) -> int:
    """The partition of `journeys.touchpoints` that holds the person's trail."""
    return int(person[:8], 16) % partitions
