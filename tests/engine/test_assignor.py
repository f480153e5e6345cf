"""Who gets which partition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import SimpleNamespace

from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.assignor import Held, StickyAssignor, spread

topics = st.dictionaries(
    st.sampled_from("abcdef"), st.integers(1, 9).map(lambda count: list(range(count))), min_size=1
)
members = st.sets(st.sampled_from(["m1", "m2", "m3", "m4", "m5"]), min_size=1)


def share(
    topics: dict[str, list[int]], members: set[str], held: Mapping[str, Held] | None = None
) -> dict[str, dict[str, list[int]]]:
    held = held or {}
    return spread(
        topics, {name: frozenset(topics) for name in members}, {name: held.get(name, {}) for name in members}
    )


@given(topics, members, members)
def test_every_partition_has_one_owner_and_every_topic_is_spread_evenly(
    topics: dict[str, list[int]], before: set[str], now: set[str]
) -> None:
    shares = share(topics, now, share(topics, before))
    for topic, partitions in topics.items():
        owned = [partition for each in shares.values() for partition in each.get(topic, [])]
        assert sorted(owned) == partitions
        counts = [len(each.get(topic, [])) for each in shares.values()]
        assert max(counts) - min(counts) <= 1


@given(topics, members)
def test_nothing_moves_while_the_members_stay(topics: dict[str, list[int]], members: set[str]) -> None:
    first = share(topics, members)
    assert share(topics, members, first) == first


@given(topics, members)
def test_one_partition_each_of_many_topics_is_spread_over_the_members_too(
    topics: dict[str, list[int]], members: set[str]
) -> None:
    single = {topic: [0] for topic in topics}
    loads = Counter({name: sum(map(len, each.values())) for name, each in share(single, members).items()})
    assert max(loads.values()) - min(loads.values()) <= 1


def test_when_a_worker_leaves_the_others_keep_what_they_have() -> None:
    topics = {"identity": [0, 1, 2, 3], "journeys": [0, 1, 2, 3]}
    three = share(topics, {"m1", "m2", "m3"})
    two = share(topics, {"m1", "m2"}, three)
    for name in ("m1", "m2"):
        for topic in topics:
            assert set(three[name][topic]) <= set(two[name][topic])


def test_when_two_say_they_hold_the_same_partition_only_one_gets_it() -> None:
    held: dict[str, Held] = {"m1": {"a": [0, 1]}, "m2": {"a": [0, 1]}}
    shares = share({"a": [0, 1]}, {"m1", "m2"}, held)
    assert sorted(shares["m1"]["a"] + shares["m2"]["a"]) == [0, 1]


def test_a_member_gets_only_topics_to_which_it_is_subscribed() -> None:
    shares = spread(
        {"a": [0, 1], "b": [0]}, {"m1": frozenset("a"), "m2": frozenset("ab")}, {"m1": {}, "m2": {}}
    )
    assert shares == {"m1": {"a": [0]}, "m2": {"a": [1], "b": [0]}}


def test_what_a_consumer_holds_travels_with_its_membership_and_is_not_shared_in_a_process() -> None:
    one, other = StickyAssignor.new(), StickyAssignor.new()
    one.on_assignment(ConsumerProtocolMemberAssignment(0, [("a", [1])], b""))
    cluster = SimpleNamespace(partitions_for_topic=lambda topic: {0, 1})
    assigned = one.assign(cluster, {"m1": other.metadata(["a"]), "m2": one.metadata(["a"])})
    assert {name: each.assignment for name, each in assigned.items()} == {
        "m1": [("a", [0])],
        "m2": [("a", [1])],
    }
