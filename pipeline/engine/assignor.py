"""Who gets which partition: every topic spread evenly, and partitions stay where they are.

In: the partitions of each topic, the members and what each held. Out: each member's partitions. For each
topic the members' shares differ by one at most (aiokafka's sticky assignor only balances the sum, so one
worker may get all the heavy partitions), and a member that stays keeps what its share allows. Nothing
depends on two topics being assigned alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

import msgspec
from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

Held = Mapping[str, list[int]]
"""Partitions by topic."""


class StickyAssignor(AbstractPartitionAssignor):  # type: ignore[misc]
    """One subclass for each consumer (`new`): aiokafka's assignors keep what they hold in class variables."""

    name = "throughline-sticky"
    version = 0
    held: ClassVar[dict[str, list[int]]] = {}

    @classmethod
    def new(cls) -> type[StickyAssignor]:
        return type("StickyAssignor", (cls,), {"held": {}})

    @classmethod
    def metadata(cls, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        return ConsumerProtocolMemberMetadata(cls.version, sorted(topics), msgspec.msgpack.encode(cls.held))

    @classmethod
    def on_assignment(cls, assignment: ConsumerProtocolMemberAssignment) -> None:
        held: dict[str, list[int]] = {}
        for topic, partition in assignment.partitions():
            held.setdefault(topic, []).append(partition)
        cls.held = held

    @classmethod
    def assign(
        cls, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        topics = {topic for member in members.values() for topic in member.subscription}
        shares = spread(
            {topic: sorted(cluster.partitions_for_topic(topic) or ()) for topic in topics},
            {name: frozenset(member.subscription) for name, member in members.items()},
            {name: _held(member.user_data) for name, member in members.items()},
        )
        return {
            name: ConsumerProtocolMemberAssignment(cls.version, sorted(share.items()), b"")
            for name, share in shares.items()
        }


def _held(user_data: bytes) -> Held:
    return msgspec.msgpack.decode(user_data, type=dict[str, list[int]]) if user_data else {}


def spread(
    topics: Mapping[str, list[int]], members: Mapping[str, frozenset[str]], held: Mapping[str, Held]
) -> dict[str, dict[str, list[int]]]:
    """The partitions of each member by topic. `members` are the topics that each is subscribed to."""
    shares: dict[str, dict[str, list[int]]] = {name: {} for name in members}
    load = dict.fromkeys(members, 0)
    for topic in sorted(topics):
        subscribers = sorted(name for name in members if topic in members[name])
        if subscribers:
            before = {name: held[name].get(topic, []) for name in subscribers}
            for name, partitions in _spread_one(topics[topic], before, load).items():
                if partitions:
                    shares[name][topic] = sorted(partitions)
                    load[name] += len(partitions)
    return shares


def _spread_one(
    partitions: list[int], before: Mapping[str, list[int]], load: Mapping[str, int]
) -> dict[str, list[int]]:
    least, extra = divmod(len(partitions), len(before))
    # who gets one more: the least loaded, and of these who held more
    ranked = sorted(before, key=lambda name: (load[name], -len(before[name]), name))
    quota = {name: least + (rank < extra) for rank, name in enumerate(ranked)}
    free, shares = set(partitions), {}
    for name in ranked:
        kept = sorted(free.intersection(before[name]))[: quota[name]]
        shares[name] = kept
        free.difference_update(kept)
    rest = iter(sorted(free))
    for name in ranked:
        shares[name].extend(
            partition for _, partition in zip(range(quota[name] - len(shares[name])), rest, strict=False)
        )
    return shares
