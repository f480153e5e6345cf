"""Identifiers in, tokens, persons and partitions out.

A token is `kind:` and 32 hex digits: a keyed BLAKE2b-128 of the kind and the normalised value. A person is
the UUID (version 8) of those 16 bytes, so the token alone says who is meant, and nobody without the key can
say which e-mail address it was. The kind is part of what is hashed: customer 7 and order 7 are not the same
person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from hashlib import blake2b
from typing import Final, Protocol

from pipeline.core.messages import Token

_HEX: Final = 32
_REMEMBERED_PERSONS: Final = 65_536


class Kind(Protocol):
    """What an identifier kind has to say here; `schemas.journey_map.IdentifierKind` does."""

    @property
    def case_sensitive(self) -> bool: ...
    @property
    def blocked(self) -> Sequence[str]: ...


class Tokens:
    """The identifier kinds of a journey map under one secret key. Pure; it remembers `remember` identifiers.

    `identify(kind, value)` is the identifier's token and the value as it counts: without surrounding
    blanks, in lower case unless the kind is case-sensitive, and empty if it is blocked. A kind that the map does
    not name is case-sensitive.
    """

    identify: Callable[[str, str], tuple[Token, str]]

    def __init__(self, key: str, kinds: Mapping[str, Kind], remember: int = 100_000) -> None:
        # the secret may have any length; BLAKE2b takes at most 64 bytes
        secret = blake2b(key.encode(), digest_size=32).digest()
        lower = frozenset(name for name, kind in kinds.items() if not kind.case_sensitive)
        blocked = {name: frozenset(value.lower() for value in kind.blocked) for name, kind in kinds.items()}
        # of a function and not of a method: a cache that holds its owner would outlive it
        self.identify = lru_cache(maxsize=remember)(partial(_identify, secret, lower, blocked))

    def token(self, kind: str, value: str) -> Token:
        return self.identify(kind, value)[0]


def _identify(
    secret: bytes, lower: frozenset[str], blocked: dict[str, frozenset[str]], kind: str, value: str
) -> tuple[Token, str]:
    value = value.strip()
    if kind in lower:
        value = value.lower()
    digest = blake2b(f"{kind}\0{value}".encode(), digest_size=16, key=secret)
    is_blocked = kind in blocked and value.lower() in blocked[kind]
    return f"{kind}:{digest.hexdigest()}", "" if is_blocked else value


def kind_of(token: Token) -> str:
    """The identifier kind of a token."""
    return token[: -_HEX - 1]


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
