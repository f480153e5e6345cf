"""The state of a partition, in memory and on disk: one behaviour, whatever is behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from laws import examples
from state_bench import States, order_of

from pipeline.engine import rocks_store
from pipeline.engine.rocks_store import RocksStore
from pipeline.engine.store import MemoryStore, Reached, StateStore

Opened = Callable[[], StateStore]
keys = st.binary(min_size=1, max_size=3).filter(lambda key: key[0] != 0)
values = st.binary(max_size=12)
changes = st.lists(st.tuples(keys, st.none() | values), max_size=40)


@pytest.fixture(params=["memory", "disk"])
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    """Makes empty stores."""
    states, opened = States(tmp_path), list[StateStore]()

    def make() -> StateStore:
        store = MemoryStore(order_of) if request.param == "memory" else states.open(f"s{len(opened)}")
        opened.append(store)
        return store

    yield make
    for store in opened:
        store.close()


def apply(store: StateStore, changed: list[tuple[bytes, bytes | None]]) -> None:
    for key, value in changed:
        if value is None:
            store.delete(key)
        else:
            store.put(key, value)


def commit(store: StateStore, offset: int = 1) -> None:
    store.committed(Reached(offset, None, 0))


def test_a_key_changed_often_is_written_once_with_its_last_value(new_store: Opened) -> None:
    store = new_store()
    apply(store, [(b"a", b"1"), (b"a", b"2"), (b"b", b"1"), (b"b", None)])
    assert dict(store.changes()) == {b"a": b"2", b"b": None}


def test_deleting_what_is_not_there_writes_nothing(new_store: Opened) -> None:
    store = new_store()
    store.delete(b"a")
    assert not store.changed


def test_what_is_committed_is_no_change_any_more(new_store: Opened) -> None:
    store = new_store()
    store.put(b"a", b"1")
    assert store.changed
    commit(store)
    assert not store.changed
    assert store.get(b"a") == b"1"


@pytest.mark.parametrize("key", [b"", b"\x00position"])
def test_the_engines_own_keys_cannot_be_written(new_store: Opened, key: bytes) -> None:
    with pytest.raises(ValueError, match="zero byte"):
        new_store().put(key, b"")


def test_the_changelog_of_a_store_rebuilds_it(new_store: Opened) -> None:
    store, rebuilt = new_store(), new_store()
    batches: list[list[tuple[bytes, bytes | None]]] = [
        [(b"a", b"1"), (b"b", b"11111111b"), (b"c", b"3")],
        [(b"a", None), (b"b", b"00000000b"), (b"d", b"")],
        [(b"a", b"4"), (b"c", None)],
    ]
    for batch in batches:
        apply(store, batch)
        for key, value in store.changes():
            rebuilt.restore(key, value)
        commit(store)
    commit(rebuilt)
    assert (
        list(rebuilt.scan(b"")) == list(store.scan(b"")) == [(b"a", b"4"), (b"b", b"00000000b"), (b"d", b"")]
    )
    assert (len(rebuilt), rebuilt.size) == (len(store), store.size) == (3, 13)
    assert rebuilt.earliest(None, 9) == [(b"00000000", b"b")]
    assert not rebuilt.changed


def test_a_range_may_begin_behind_a_key_that_is_not_there(new_store: Opened) -> None:
    store = new_store()
    apply(store, [(b"a1", b""), (b"a3", b""), (b"b", b"")])
    commit(store)
    apply(store, [(b"a5", b"")])
    assert [key for key, _ in store.scan(b"a", b"a2")] == [b"a3", b"a5"]
    assert [key for key, _ in store.scan(b"a", b"a3")] == [b"a5"]


def reopened(states: States, store: StateStore) -> RocksStore:
    store.close()
    return states.open("s")


def test_a_key_that_has_moved_in_the_order_is_found_at_its_new_place_alone(tmp_path: Path) -> None:
    states = States(tmp_path)
    store = states.open("s")
    apply(store, [(b"a", b"00000001"), (b"b", b"00000002"), (b"c", b"00000003")])
    commit(store, 1)
    store = reopened(states, store)
    apply(store, [(b"a", b"00000009"), (b"b", b"x"), (b"c", None)])
    commit(store, 2)
    store = reopened(states, store)
    assert store.earliest(None, 9) == [(b"00000009", b"a")]
    store.close()


def test_what_was_read_before_it_changed_is_not_remembered_behind_the_change(tmp_path: Path) -> None:
    states = States(tmp_path)
    store = states.open("s")
    apply(store, [(b"a", b"1")])
    commit(store, 1)
    store = reopened(states, store)
    assert store.get(b"a") == b"1"
    apply(store, [(b"a", b"2")])
    commit(store, 2)
    store._unflushed_since = -1e9
    store.rest()
    assert not store._committed
    assert store.get(b"a") == b"2"
    store.close()


few_keys = st.sampled_from([b"a", b"ab", b"b", b"ba", b"c"])
few_values = st.sampled_from([b"", b"x", b"00000001", b"00000001y", b"00000002", b"00000003"])


class BothStores(RuleBasedStateMachine):
    """A store on disk answers as one in memory does, over commits, aborts, crashes and openings.

    `log` is what was committed, as its changelog has it: offset n is its n-th record.
    """

    @initialize()
    def begin(self) -> None:
        self.few = mock.patch.object(rocks_store, "_UNWRITTEN_KEYS", 2)  # much is written at once
        self.few.start()
        self.folder = TemporaryDirectory()
        self.states = States(Path(self.folder.name))
        self.log: list[tuple[bytes, bytes | None]] = []
        self.model = MemoryStore(order_of)
        self.store: RocksStore = self.states.open("s")

    @rule(changed=st.lists(st.tuples(few_keys, st.none() | few_values), max_size=6))
    def change(self, changed: list[tuple[bytes, bytes | None]]) -> None:
        apply(self.model, changed)
        apply(self.store, changed)

    @rule()
    def commit(self) -> None:
        assert dict(self.store.changes()) == dict(self.model.changes())
        self.log += self.model.changes()
        for store in (self.model, self.store):
            commit(store, len(self.log))
        assert (len(self.store), self.store.size) == (len(self.model), self.model.size)

    @rule(to_disk=st.booleans())
    def grow_old(self, to_disk: bool) -> None:
        """The database takes in what has waited for long, and at times it has reached the disk."""
        self.store._unflushed_since = -1e9
        self.store.rest()
        if to_disk:
            self.store._database.flush(wait=True)

    @rule(orderly=st.booleans())
    def abort(self, orderly: bool) -> None:
        """Whatever was not committed is gone, in a crash also what was not yet on disk; the changelog has it."""
        if orderly:
            self.store.close()
        else:
            self.states.crash("s")
        self.store = self.states.open("s")
        reached = self.store.reached.offset if self.store.reached else 0
        assert reached == len(self.log) or not orderly
        for key, value in self.log[reached:]:
            self.store.restore(key, value)
        commit(self.store, len(self.log))
        self.model = MemoryStore(order_of)
        for key, value in self.log:
            self.model.restore(key, value)
        assert (len(self.store), self.store.size) == (len(self.model), self.model.size)

    @rule(prefix=st.sampled_from([b"", b"a", b"b"]), after=few_keys | st.just(b""))
    def scan(self, prefix: bytes, after: bytes) -> None:
        assert list(self.store.scan(prefix, after)) == list(self.model.scan(prefix, after))

    @rule(
        count=st.integers(1, 9),
        after=st.none() | st.tuples(few_values.filter(lambda v: len(v) == 8), few_keys),
    )
    def earliest(self, count: int, after: tuple[bytes, bytes] | None) -> None:
        assert self.store.earliest(after, count) == self.model.earliest(after, count)

    @rule(key=few_keys)
    def get(self, key: bytes) -> None:
        assert self.store.get(key) == self.model.get(key)

    @invariant()
    def everything_is_the_same(self) -> None:
        assert list(self.store.scan(b"")) == list(self.model.scan(b""))
        assert self.store.earliest(None, 1000) == self.model.earliest(None, 1000)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()
            self.few.stop()


TestBothStores = BothStores.TestCase
TestBothStores.settings = settings(max_examples=examples(60), stateful_step_count=30, deadline=None)


@given(changes, st.binary(max_size=2))
def test_a_store_is_a_sorted_dictionary(changed: list[tuple[bytes, bytes | None]], prefix: bytes) -> None:
    store, model = MemoryStore(), dict[bytes, bytes]()
    for key, value in changed:
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
