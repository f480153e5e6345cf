"""A session's file for blocks: one INSERT after another, nothing of one in the next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.embedded.clickhouse import engine
from pipeline.embedded.clickhouse.engine import Spool


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "1.native")
    yield spool
    spool.remove()


def insert(spool: Spool, *blocks: bytes) -> bytes:
    """What the engine reads of one INSERT."""
    for block in blocks:
        spool.write(memoryview(block))
    spool.end()
    read = spool.path.read_bytes()
    spool.rewind()
    return read


def test_a_shorter_insert_is_not_followed_by_what_is_left_of_a_longer_one(spool: Spool) -> None:
    assert insert(spool, b"long ", b"and longer") == b"long and longer"
    assert insert(spool, b"short") == b"short"


def test_an_insert_that_was_given_up_leaves_nothing_to_the_next(spool: Spool) -> None:
    spool.write(memoryview(b"half of a"))
    spool.rewind()

    assert insert(spool, b"whole") == b"whole"


def test_pages_are_kept_for_the_next_insert_but_not_many(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_SPOOL_BYTES", 10)

    insert(spool, b"x" * 10)
    assert spool.path.stat().st_size == 10
    insert(spool, b"x" * 11)
    assert spool.path.stat().st_size == 0


def test_there_is_a_file_from_the_first_block_until_it_is_removed(spool: Spool) -> None:
    spool.rewind()
    spool.remove()
    assert not spool.path.exists()

    insert(spool, b"x")
    assert spool.path.exists()
    spool.remove()
    assert not spool.path.exists()
