"""The state of a partition in memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.store import MemoryStore

keys = st.binary(min_size=1, max_size=3).filter(lambda key: key[0] != 0)
steps = st.lists(st.tuples(keys, st.none() | st.binary(max_size=5)), max_size=40)


def apply(store: MemoryStore, changes: list[tuple[bytes, bytes | None]]) -> None:
    for key, value in changes:
        if value is None:
            store.delete(key)
        else:
            store.put(key, value)


@given(steps, st.binary(max_size=2))
def test_a_store_is_a_sorted_dictionary(changes: list[tuple[bytes, bytes | None]], prefix: bytes) -> None:
    store, model = MemoryStore(), dict[bytes, bytes]()
    for key, value in changes:
        apply(store, [(key, value)])
        if value is None:
            model.pop(key, None)
        else:
            model[key] = value
        assert list(store.scan(prefix)) == sorted(
            item for item in model.items() if item[0].startswith(prefix)
        )
    assert len(store) == len(model)
    assert store.size == sum(len(key) + len(value) for key, value in model.items())
    assert {key: store.get(key) for key in model} == model


@given(steps, steps)
def test_the_changelog_of_a_store_rebuilds_it(
    before: list[tuple[bytes, bytes | None]], after: list[tuple[bytes, bytes | None]]
) -> None:
    store, rebuilt = MemoryStore(), MemoryStore()
    for changes in (before, after):
        apply(store, changes)
        for key, value in store.take_changes():
            rebuilt.restore(key, value)
        assert not store.changed
    assert list(rebuilt.scan(b"")) == list(store.scan(b""))
    assert rebuilt.size == store.size
    assert not rebuilt.changed


def test_a_key_changed_often_is_written_once_with_its_last_value() -> None:
    store = MemoryStore()
    apply(store, [(b"a", b"1"), (b"a", b"2"), (b"b", b"1"), (b"b", None)])
    assert dict(store.take_changes()) == {b"a": b"2", b"b": None}


def test_deleting_what_is_not_there_writes_nothing() -> None:
    store = MemoryStore()
    store.delete(b"a")
    assert not store.changed


@pytest.mark.parametrize("key", [b"", b"\x00position"])
def test_the_engines_own_keys_cannot_be_written(key: bytes) -> None:
    with pytest.raises(ValueError, match="zero byte"):
        MemoryStore().put(key, b"")
