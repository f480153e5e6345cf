"""Laws of identity: the order of arrival changes nothing, and time never passes a touchpoint."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from identity_world import IDENTITY, TOKENS, Event, World, expected_homes
from laws import examples

from pipeline.core.messages import Claim, IdentityMark
from pipeline.core.tokens import person_of

IDENTITIES = st.fixed_dictionaries(
    {},
    optional={
        "customer": st.sampled_from("ABC"),
        "order": st.sampled_from("123"),
        "ticket": st.sampled_from("12"),
        "parcel": st.sampled_from("12"),
    },
).filter(bool)
EVENTS = st.lists(st.tuples(st.integers(0, 20), IDENTITIES), min_size=1, max_size=14).map(
    lambda drawn: [Event(f"e{n}", time, identities) for n, (time, identities) in enumerate(drawn)]
)
RANDOMS = st.randoms(use_true_random=False)


@settings(max_examples=examples(400), deadline=None)
@given(events=EVENTS, random=RANDOMS, partitions=st.integers(1, 3))
def test_every_order_of_arrival_ends_with_each_touchpoint_at_the_same_person(
    events: list[Event], random: Random, partitions: int
) -> None:
    world = World(random, partitions)
    messages = [message for event in events for message in event.messages()]
    random.shuffle(messages)
    for message in messages:
        world.say([message])
        for _ in range(random.randint(0, 4)):
            world.step()
    world.settle()
    assert world.homes() == expected_homes(events)


@settings(max_examples=examples(100), deadline=None)
@given(events=EVENTS, random=RANDOMS)
def test_a_source_that_says_everything_twice_changes_nothing(events: list[Event], random: Random) -> None:
    world = World(random)
    messages = [message for event in events for message in event.messages()] * 2
    random.shuffle(messages)
    for message in messages:
        world.say([message])
        world.step()
    world.settle()
    assert world.homes() == expected_homes(events)


@settings(max_examples=examples(200), deadline=None)
@given(events=EVENTS, random=RANDOMS, sources=st.integers(1, 2))
def test_time_at_the_journeys_never_passes_a_touchpoint_and_reaches_what_all_sources_promised(
    events: list[Event], random: Random, sources: int
) -> None:
    world = World(random, sources=sources)
    queues = [sorted(events[n::sources], key=lambda event: event.time) for n in range(sources)]
    while any(queues):
        number = random.choice([n for n, queue in enumerate(queues) if queue])
        event = queues[number].pop(0)
        world.say(event.messages())
        later = [queue_event.time for queue_event in queues[number]]
        world.say([IdentityMark(f"shop/{number}", [min(later, default=event.time)])])
        for _ in range(random.randint(0, 6)):
            world.step()
    for number in range(sources):
        world.say([IdentityMark(f"shop/{number}", [100])])
    world.settle()
    assert [stage.behind for stage in world.journeys] == [[]] * world.partitions
    assert [stage.watermark.time for stage in world.journeys] == [100] * world.partitions


def test_marks_of_a_partition_never_go_back_over_restarts() -> None:
    world = World(Random(7))
    for mark in (10, 20, 30):
        world.say([IdentityMark("shop/0", [mark])])
        world.settle()
        world.restart(0)
    for partition in range(world.partitions):
        for channel in ("identity/0", "identity/1", "identity/2"):
            told = [
                m.levels
                for m in world.departures(partition)
                if isinstance(m, IdentityMark) and m.channel == channel
            ]
            # levels are told one after the other, each at most once
            assert all(a != b and all(x <= y for x, y in zip(a, b, strict=False)) for a, b in pairwise(told))
            assert told[-1] == [30, 30]


def test_a_chain_from_parcel_over_order_to_customer_is_followed_when_it_comes_backwards() -> None:
    world = World(Random(1))
    events = [
        Event("delivered", 3, {"parcel": "1"}),
        Event("packed", 2, {"parcel": "1", "order": "1"}),
        Event("bought", 1, {"order": "1", "customer": "A"}),
    ]
    for event in events:
        world.say(event.messages())
        world.settle()
    anna = person_of(TOKENS.token("customer", "A"))
    assert world.homes() == {"delivered": [anna], "packed": [anna], "bought": [anna]}


def test_a_parcel_that_comes_late_to_a_reference_that_its_own_has_left_is_called_on() -> None:
    # the parcel's second, earlier claim is settled, and the order it had first gets its customer, while the
    # first release is still under way: neither the person of that order nor its customer has heard of the
    # departure
    world = World(Random(1), partitions=1)
    delivered = Event("delivered", 9, {"parcel": "1"})
    first = Event("packed", 5, {"parcel": "1", "order": "1"})
    earlier = Event("weighed", 3, {"parcel": "1", "order": "2"})
    bought = Event("bought", 1, {"order": "1", "customer": "A"})
    events = [delivered, first, earlier, bought]
    for event in events:
        world.say(
            [message for message in event.messages() if isinstance(message, Claim) or event is delivered]
        )
        world.settle(only=IDENTITY)
    world.settle()
    assert world.homes() == {"delivered": expected_homes(events)["delivered"]}


@settings(max_examples=examples(150), deadline=None)
@given(seed=st.integers(0, 2**32), name=st.integers(0, 30))
def test_time_waits_for_a_touchpoint_that_is_handed_on_along_the_longest_chain(seed: int, name: int) -> None:
    random = Random(seed)
    world = World(random)
    links = [
        Event("packed", 1, {"parcel": f"{name}", "ticket": f"{name}"}),
        Event("opened", 2, {"ticket": f"{name}", "order": f"{name}"}),
        Event("bought", 3, {"order": f"{name}", "customer": f"{name}"}),
    ]
    world.say([message for event in links for message in event.messages()])
    world.settle()
    for time in range(10, 30):
        world.say(
            [*Event(f"at {time}", time, {"parcel": f"{name}"}).messages(), IdentityMark("shop/0", [time])]
        )
        for _ in range(random.randint(0, 12)):
            world.step()
    world.settle()
    assert [stage.behind for stage in world.journeys] == [[]] * world.partitions
    assert [stage.watermark.time for stage in world.journeys] == [29] * world.partitions
