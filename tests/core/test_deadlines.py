"""Deadlines over a store: memory holds the earliest, and nobody is forgotten, named twice or named too late."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.deadlines import Deadlines, deadline_order
from pipeline.core.instants import NEVER
from pipeline.core.persons import head_key, person_id
from pipeline.core.run import MemoryStore

PERSONS = [f"{number:08x}-0000-8000-8000-000000000000" for number in range(12)]
people = st.sampled_from(PERSONS)
instants = st.integers(0, 30) | st.just(NEVER)


class Partition:
    """Heads that hold nothing but a deadline, and beside them what has to come out."""

    def __init__(self, loaded: int) -> None:
        self.store, self.expected, self.loaded = MemoryStore(), dict[str, int](), loaded
        self.open()

    def open(self) -> None:
        self.deadlines = Deadlines(self.store, self.loaded)

    def save(self, person: str, deadline: int) -> None:
        self.deadlines.schedule(person, deadline)
        self.store.put(head_key(person), deadline.to_bytes(8, "big"))
        self.expected[person] = deadline

    def take(self, time: int, count: int) -> list[str]:
        due = sorted((at, person) for person, at in self.expected.items() if at <= time)
        assert self.deadlines.has_due(time) == bool(due)
        taken = self.deadlines.take_due(time, count)
        assert taken == [person for _, person in due[:count]]
        for person in taken:
            self.save(person, NEVER)
        return taken


steps = st.lists(
    st.one_of(
        st.tuples(st.just("save"), people, instants),
        st.tuples(st.just("take"), st.integers(0, 30), st.integers(1, 4)),
        st.tuples(st.just("open"), st.none(), st.none()),
    ),
    max_size=60,
)


@given(steps, st.integers(1, 4))
def test_due_persons_come_in_order_whatever_fits_into_memory_and_whenever_it_is_opened(
    happened: list[tuple[str, object, object]], loaded: int
) -> None:
    partition = Partition(loaded)
    for what, *given_ in happened:
        getattr(partition, what)(*[each for each in given_ if each is not None])
        assert len(partition.deadlines._deadlines) <= 2 * loaded
    partition.take(30, 100)
    assert not partition.deadlines.has_due(30)


def test_more_persons_with_one_deadline_than_fit_into_memory_are_all_named() -> None:
    partition = Partition(3)
    for person in reversed(PERSONS):
        partition.save(person, 7)
    partition.open()
    assert partition.deadlines.take_due(7, 100) == PERSONS


def test_only_a_head_with_a_deadline_is_in_the_order() -> None:
    key = head_key(PERSONS[3])
    assert person_id(key) == PERSONS[3]
    assert deadline_order(key, (5).to_bytes(8, "big") + b"rest") == (5).to_bytes(8, "big")
    assert deadline_order(key, NEVER.to_bytes(8, "big") + b"rest") is None
    assert deadline_order(b"s" + key[1:], (5).to_bytes(8, "big")) is None
