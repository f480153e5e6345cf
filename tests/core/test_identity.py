"""Identity, message by message: what a reference remembers and what it calls back."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from identity_world import IDENTITY, JOURNEYS, KINDS, TOKENS, DictStore, Event, Logs, World

from pipeline.core.budget import Budget
from pipeline.core.frames import IDENTITY_FRAMES, JOURNEY_FRAMES, FrameWriter
from pipeline.core.identity import CLAIMANTS, DEPARTURES, Identity, IdentityConfig, ranks
from pipeline.core.messages import (
    Arrive,
    Carry,
    Claim,
    Depart,
    Entry,
    IdentityMark,
    JourneyMark,
    Origin,
    Parcel,
    Receive,
    Release,
    Route,
)
from pipeline.core.tokens import person_of
from schemas.identifiers import IdentifierKind

ORDER, OTHER_ORDER = TOKENS.token("order", "1"), TOKENS.token("order", "2")
PARCEL = TOKENS.token("parcel", "1")
ANNA, BERT = TOKENS.token("customer", "A"), TOKENS.token("customer", "B")
SESSION = IdentifierKind(kind="reference", strength=200)
CONFIG = IdentityConfig(IDENTITY, JOURNEYS, 1, ("shop/0", "shop/1"), KINDS)


class Partition:
    """One identity partition and what it says."""

    def __init__(self, config: IdentityConfig = CONFIG, store: DictStore | None = None) -> None:
        self.store = DictStore() if store is None else store
        self.identity = Identity(0, self.store, config)

    def hear(self, *messages: Any) -> list[Any]:
        """What a batch of these messages makes it say: to identity, then to the journeys."""
        heard, said = Logs(), Logs()
        writer = FrameWriter(heard, IDENTITY, 1)
        for message in messages:
            writer.add(0, message)
        writer.flush()
        self.identity.process(heard.log(IDENTITY, 0), said)
        return [
            message
            for frames, topic in ((IDENTITY_FRAMES, IDENTITY), (JOURNEY_FRAMES, JOURNEYS))
            for record in said.log(topic, 0)
            for message in frames.decode(record)
        ]


def route(identifier: str, **identities: str) -> Route:
    (found, *_) = Event(identifier, 1, identities).messages()
    assert isinstance(found, Route)
    return found


def claim(to: str, owner: str, time: int = 5, identifier: str = "e") -> Claim:
    return Claim(to, owner, time, "shop", identifier)


def parcel(*steps: tuple[str, int]) -> Parcel:
    entry = Entry(1, "", "shop", "e", "a.b.c", b"d", {"data.x": 1}, 0, ())
    return Parcel([Origin(steps, "born", 0)], [entry], 7, [(b"12345678", 0)])


def test_a_personal_identifier_names_its_person() -> None:
    event = route("e", customer="A")
    assert Partition().hear(event) == [Arrive(person_of(ANNA), ((ANNA, 0),), event.touchpoint)]


def test_a_reference_without_an_owner_names_a_person_of_its_own() -> None:
    event = route("e", order="1")
    assert Partition().hear(event) == [Arrive(person_of(ORDER), ((ORDER, 0),), event.touchpoint)]


def test_a_claim_calls_back_what_went_to_the_references_own_person_and_leads_the_rest_to_the_owner() -> None:
    partition = Partition()
    event = route("e", order="1")
    partition.hear(event)
    assert partition.hear(claim(ORDER, ANNA)) == [Release(person_of(ORDER), ORDER, 1, ANNA)]
    assert partition.hear(event) == [Arrive(person_of(ANNA), ((ORDER, 1), (ANNA, 0)), event.touchpoint)]


def test_what_a_reference_owns_is_resolved_in_that_references_partition() -> None:
    partition = Partition()
    event = route("e", parcel="1")
    partition.hear(event)
    assert partition.hear(claim(PARCEL, ORDER)) == [Release(person_of(PARCEL), PARCEL, 1, ORDER)]
    assert partition.hear(event) == [Route(ORDER, ((PARCEL, 1),), event.touchpoint)]
    assert partition.hear(claim(PARCEL, OTHER_ORDER, time=4)) == [Depart(ORDER, PARCEL, 2, OTHER_ORDER)]


def test_the_claims_of_a_batch_come_first_so_that_what_came_before_them_need_not_move() -> None:
    partition = Partition()
    event = route("e", order="1")
    arrived = Arrive(person_of(ANNA), ((ORDER, 1), (ANNA, 0)), event.touchpoint)
    assert partition.hear(event, claim(ORDER, ANNA)) == [arrived]


def test_a_claim_before_anything_passed_has_nothing_to_call_back() -> None:
    partition = Partition()
    assert partition.hear(claim(ORDER, ANNA)) == []
    assert partition.hear(claim(ORDER, BERT, time=4)) == []
    event = route("e", order="1")
    assert partition.hear(event) == [Arrive(person_of(BERT), ((ORDER, 2), (BERT, 0)), event.touchpoint)]


def test_a_lesser_claim_of_another_owner_calls_back_what_went_to_the_first() -> None:
    partition = Partition()
    partition.hear(claim(ORDER, ANNA), route("e", order="1"))
    assert partition.hear(claim(ORDER, BERT, time=4)) == [Release(person_of(ANNA), ORDER, 2, BERT)]


@pytest.mark.parametrize(
    ("time", "identifier", "owner"), [(6, "e", ANNA), (5, "f", ANNA), (5, "d", BERT), (4, "z", BERT)]
)
def test_the_least_claim_by_time_source_and_id_owns(time: int, identifier: str, owner: str) -> None:
    partition = Partition()
    partition.hear(claim(ORDER, ANNA), claim(ORDER, BERT, time, identifier))
    (sent,) = partition.hear(route("x", order="1"))
    assert sent.person == person_of(owner)


def test_a_lesser_claim_of_the_owner_changes_nothing_but_its_claim() -> None:
    partition = Partition()
    partition.hear(claim(ORDER, ANNA), route("e", order="1"))
    assert partition.hear(claim(ORDER, ANNA, time=2), claim(ORDER, BERT, time=3)) == []


def test_a_second_owner_is_a_refused_link_and_is_counted() -> None:
    partition = Partition()
    partition.hear(
        claim(ORDER, ANNA), claim(ORDER, BERT, time=9), claim(ORDER, ANNA, time=8), claim(ORDER, ANNA)
    )
    assert partition.identity.counts["refused_links"] == 1
    assert partition.identity.counts["claims"] == 4


def test_a_claim_of_an_owner_that_is_not_stronger_is_void() -> None:
    partition = Partition()
    partition.hear(
        claim(ORDER, OTHER_ORDER),
        claim(ORDER, PARCEL),
        claim(ORDER, ORDER),
        claim(ORDER, "unknown:" + "0" * 32),
    )
    assert partition.identity.counts == {"void_claims": 4}
    event = route("e", order="1")
    assert partition.hear(event) == [Arrive(person_of(ORDER), ((ORDER, 0),), event.touchpoint)]


def test_kinds_rank_references_before_personal_then_by_strength_then_by_name() -> None:
    assert list(ranks(KINDS)) == ["parcel", "ticket", "order", "customer"]


def test_claims_are_bounded_and_the_least_are_kept() -> None:
    partition = Partition()
    owners = [TOKENS.token("customer", str(number)) for number in range(CLAIMANTS + 3)]
    partition.hear(*(claim(ORDER, owner, time=90 - number) for number, owner in enumerate(owners)))
    stored = partition.store[b"r" + ORDER.encode()]
    assert [owner.encode() in stored for owner in owners] == [False] * 3 + [True] * CLAIMANTS


def test_a_parcel_goes_the_way_of_its_touchpoints_with_a_step_added_and_all_else_as_it_was() -> None:
    partition = Partition()
    moved = parcel((PARCEL, 1))
    to_order = Parcel([Origin(((PARCEL, 1), (ORDER, 0)), "born", 0)], *_rest(moved))
    assert partition.hear(Carry(ORDER, moved)) == [Receive(person_of(ORDER), to_order)]
    assert partition.hear(claim(ORDER, ANNA)) == [Release(person_of(ORDER), ORDER, 1, ANNA)]
    at_anna = Parcel([Origin(((PARCEL, 1), (ORDER, 1), (ANNA, 0)), "born", 0)], *_rest(moved))
    assert partition.hear(Carry(ORDER, moved)) == [Receive(person_of(ANNA), at_anna)]
    from_parcel = Parcel([Origin(((ANNA, 0), (PARCEL, 1)), "born", 0)], *_rest(parcel((ANNA, 0))))
    assert partition.hear(claim(PARCEL, ORDER), Carry(PARCEL, parcel((ANNA, 0)))) == [
        Carry(ORDER, from_parcel)
    ]


def _rest(moved: Parcel) -> list[Any]:
    return [getattr(moved, name) for name in Parcel.__struct_fields__[1:]]


def test_a_departure_becomes_a_release_at_a_person_and_goes_on_along_an_owned_reference() -> None:
    partition = Partition()
    assert partition.hear(Depart(ANNA, PARCEL, 2, OTHER_ORDER)) == [
        Release(person_of(ANNA), PARCEL, 2, OTHER_ORDER)
    ]
    partition.hear(route("e", order="1"))
    assert partition.hear(Depart(ORDER, PARCEL, 2, OTHER_ORDER)) == [
        Release(person_of(ORDER), PARCEL, 2, OTHER_ORDER)
    ]
    partition.hear(claim(ORDER, ANNA))
    assert partition.hear(Depart(ORDER, PARCEL, 3, OTHER_ORDER)) == [
        Release(person_of(ANNA), PARCEL, 3, OTHER_ORDER)
    ]


def test_a_parcel_of_an_older_step_is_followed_by_its_departure_and_one_of_the_newest_is_not() -> None:
    partition = Partition()
    assert partition.hear(claim(ORDER, ANNA), Depart(ORDER, PARCEL, 2, OTHER_ORDER)) == []
    carried, release = partition.hear(Carry(ORDER, parcel((PARCEL, 1))))
    assert isinstance(carried, Receive)
    assert release == Release(person_of(ANNA), PARCEL, 2, OTHER_ORDER)
    assert len(partition.hear(Carry(ORDER, parcel((PARCEL, 2))))) == 1


def test_departures_that_are_remembered_are_bounded_and_the_oldest_go() -> None:
    partition = Partition()
    gone = [TOKENS.token("parcel", str(number)) for number in range(DEPARTURES + 1)]
    partition.hear(*(Depart(ORDER, token, 2, OTHER_ORDER) for token in gone))
    assert len(partition.hear(Carry(ORDER, parcel((gone[0], 1))))) == 1
    assert len(partition.hear(Carry(ORDER, parcel((gone[-1], 1))))) == 2


def test_what_a_reference_knows_is_known_after_a_restart() -> None:
    partition = Partition()
    partition.hear(route("e", order="1"), claim(ORDER, ANNA))
    partition.hear(Depart(ORDER, PARCEL, 2, OTHER_ORDER))
    again = Partition(store=partition.store)
    assert len(again.hear(Carry(ORDER, parcel((PARCEL, 1))))) == 2
    assert again.hear(claim(ORDER, BERT, time=1)) == [Release(person_of(ANNA), ORDER, 2, BERT)]


def test_references_that_are_no_longer_hot_are_read_again() -> None:
    config = IdentityConfig(IDENTITY, JOURNEYS, 1, ("shop/0",), KINDS, cache=Budget(4000))
    partition = Partition(config)
    orders = [TOKENS.token("order", str(number)) for number in range(20)]
    # in one batch, and over batches: what changed must not be lost with what is forgotten
    partition.hear(*(claim(order, ANNA) for order in orders), *(claim(order, BERT, 1) for order in orders))
    for number in range(20):
        (sent,) = partition.hear(route("e", order=str(number)))
        assert (sent.person, sent.path[0][1]) == (person_of(BERT), 2)


def test_nothing_is_written_for_touchpoints_that_change_nothing() -> None:
    partition = Partition()
    partition.hear(route("e", order="1"), route("f", customer="A"))
    before = dict(partition.store)
    partition.store.put = None  # type: ignore[assignment, method-assign]
    partition.hear(route("g", order="1"), route("h", customer="A"))
    assert partition.store == before


def test_silence_is_no_news() -> None:
    assert not Partition().identity.quiet(1, Logs())


# time


def test_time_waits_for_every_source_and_for_every_level() -> None:
    partition = Partition()
    assert partition.hear(IdentityMark("shop/0", [10])) == []
    assert partition.hear(IdentityMark("shop/1", [7])) == [IdentityMark("identity/0", [7])]
    assert partition.hear(IdentityMark("identity/0", [7])) == [IdentityMark("identity/0", [7, 7])]
    assert partition.hear(IdentityMark("identity/0", [7, 7])) == [JourneyMark("identity/0", 7)]


def test_a_batch_tells_its_time_once_behind_everything_else() -> None:
    partition = Partition()
    event = route("e", customer="A")
    said = partition.hear(
        IdentityMark("shop/0", [10]), IdentityMark("shop/1", [10]), event, IdentityMark("shop/0", [11])
    )
    assert said == [IdentityMark("identity/0", [10]), Arrive(person_of(ANNA), ((ANNA, 0),), event.touchpoint)]


def test_a_source_that_is_new_holds_time_where_it_is_until_it_speaks() -> None:
    partition = Partition()
    partition.hear(IdentityMark("shop/0", [10]), IdentityMark("shop/1", [10]))
    more = IdentityConfig(IDENTITY, JOURNEYS, 1, ("shop/0", "shop/1", "shop/2"), KINDS)
    grown = Partition(more, partition.store)
    assert grown.hear(IdentityMark("shop/0", [20]), IdentityMark("shop/1", [20])) == []
    assert grown.hear(IdentityMark("shop/2", [15])) == [IdentityMark("identity/0", [15])]


def test_a_source_that_is_gone_is_not_waited_for() -> None:
    partition = Partition()
    partition.hear(IdentityMark("shop/0", [10]), IdentityMark("shop/1", [20]))
    less = IdentityConfig(IDENTITY, JOURNEYS, 1, ("shop/1",), KINDS)
    assert Partition(less, partition.store).hear() == [IdentityMark("identity/0", [20])]


def test_a_longer_chain_waits_for_the_new_level_and_time_does_not_go_back() -> None:
    partition = Partition()
    for mark in ([5], [5, 5]):
        partition.hear(
            IdentityMark("shop/0", [5]), IdentityMark("shop/1", [5]), IdentityMark("identity/0", mark)
        )
    longer = IdentityConfig(IDENTITY, JOURNEYS, 1, ("shop/0", "shop/1"), {**KINDS, "session": SESSION})
    grown = Partition(longer, partition.store)
    six = [IdentityMark("shop/0", [6]), IdentityMark("shop/1", [6])]
    assert grown.hear(*six) == [IdentityMark("identity/0", [6, 5, 5])]
    assert grown.hear(IdentityMark("identity/0", [6, 5, 5])) == [
        IdentityMark("identity/0", [6, 6, 5]),
        JourneyMark("identity/0", 5),
    ]


def test_marks_of_strangers_are_void() -> None:
    partition = Partition()
    assert partition.hear(IdentityMark("stranger/0", [10]), IdentityMark("identity/9", [10, 10])) == []
    assert list(partition.store) == []


def test_a_world_without_events_has_time_all_the_same() -> None:
    world = World(Random(1))
    world.say([IdentityMark("shop/0", [100])])
    world.settle()
    assert [stage.watermark.time for stage in world.journeys] == [100, 100, 100]
