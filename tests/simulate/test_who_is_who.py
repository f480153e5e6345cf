"""Who is who in tiny worlds, told by hand; and each story that tangles identities, at every moment of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import pytest
from brute_force import evaluate

from pipeline.core.instants import DAY, MINUTE, micros, moment
from pipeline.core.messages import Micros
from pipeline.simulate.account import account
from pipeline.simulate.company import HOUR
from pipeline.simulate.compare import Row, compare
from pipeline.simulate.episode import Episode, Identities, Outcomes
from pipeline.simulate.experience import Experience
from pipeline.simulate.faults import NO_FAULTS, transmit
from pipeline.simulate.simulation import DEFAULT_START
from pipeline.simulate.stories.late_links import late_link, wrong_link
from pipeline.simulate.stories.strangers import family_email, shared_by_few, shared_by_many
from pipeline.simulate.truth import (
    IdentifierTruth,
    PromiseTruth,
    RefusedLinkTruth,
    StallTruth,
    TouchpointTruth,
    Truth,
)
from schemas.journey_map import JourneyMap

NINE = micros(DEFAULT_START) + 9 * HOUR
ANN: Identities = {"customer_id": "C-ann"}
BERT: Identities = {"customer_id": "C-bert"}
COOKIE: Identities = {"cookie": "K"}
ADDRESS: Identities = {"email": "A@example.com"}


def nobody_yet(seed: int = 0) -> Episode:
    return Episode(Random(seed), f"7.0.{seed}", "C-ann", NINE, Outcomes(), "+493023125000000")


def viewed(ep: Episode, time: Micros, *identities: Identities) -> Micros:
    together = {kind: value for each in identities for kind, value in each.items()}
    return ep.tell(time, "marketing.page.viewed", together, {"url": "/"})


def persons(ep: Episode, end: Micros) -> list[str]:
    return [person for _, person in ep.persons(end)]


def truth_of(ep: Episode, end: Micros) -> list[Truth]:
    return list(account(ep, transmit(ep, NO_FAULTS, end), end, Experience()))


def test_a_cookie_is_a_person_of_its_own_until_it_is_known_whose_it_is() -> None:
    ep = nobody_yet()
    viewed(ep, NINE, COOKIE)
    known = viewed(ep, NINE + HOUR, ANN, COOKIE)
    ep.own(ANN, COOKIE, since=known)
    assert persons(ep, known - 1) == ["cookie:K"]
    assert persons(ep, known) == ["customer_id:C-ann"] * 2


def test_what_a_parcel_did_is_found_by_way_of_order_cookie_and_address() -> None:
    ep = nobody_yet()
    viewed(ep, NINE, {"parcel_id": "P"})
    viewed(ep, NINE + 1, {"order_id": "O"}, {"parcel_id": "P"})
    viewed(ep, NINE + 2, COOKIE, {"order_id": "O"})
    ep.own(ADDRESS, COOKIE, since=viewed(ep, NINE + 3, ADDRESS, COOKIE))
    ep.own(ANN, ADDRESS, since=viewed(ep, NINE + 4, ANN, ADDRESS))
    assert persons(ep, NINE) == ["parcel_id:P"]
    assert persons(ep, NINE + 1) == ["order_id:O"] * 2
    assert persons(ep, NINE + 2) == ["cookie:K"] * 3
    assert persons(ep, NINE + 3) == ["email:a@example.com"] * 4
    assert persons(ep, NINE + 4) == ["customer_id:C-ann"] * 5


def test_two_who_were_taken_for_one_are_two_again_when_somebody_parts_them() -> None:
    ep = nobody_yet()
    viewed(ep, NINE, ADDRESS)
    linked = ep.tell(NINE + HOUR, "service.identity.linked", {**ANN, **ADDRESS}, {})
    parted = ep.tell(NINE + DAY, "service.identity.unlinked", {**ANN, **ADDRESS}, {})
    ep.own(ANN, ADDRESS, since=linked, until=parted)
    assert persons(ep, parted - 1) == ["customer_id:C-ann"] * 2
    assert persons(ep, parted) == ["email:a@example.com", "customer_id:C-ann", "customer_id:C-ann"]


def test_the_truth_names_every_personal_identifier_once_and_every_link_that_is_refused_by_then() -> None:
    ep = nobody_yet()
    ep.tangle = "shared by few"
    for hour, who in enumerate((ANN, BERT)):
        viewed(ep, NINE + hour * HOUR, who, COOKIE, {"session_id": "S"})
    viewed(ep, NINE + MINUTE, COOKIE)
    ep.own(ANN, COOKIE, since=NINE)
    ep.refuse("unique", BERT, COOKIE, since=NINE + HOUR)

    def who_is_who(end: Micros) -> list[Truth]:
        return [line for line in truth_of(ep, end) if isinstance(line, IdentifierTruth | RefusedLinkTruth)]

    ann = IdentifierTruth("customer_id:C-ann", "customer_id:C-ann", "shared by few")
    cookie = IdentifierTruth("cookie:K", "customer_id:C-ann", "shared by few")
    bert = IdentifierTruth("customer_id:C-bert", "customer_id:C-bert", "shared by few")
    assert who_is_who(NINE) == [ann, cookie]
    refused = RefusedLinkTruth("unique", "customer_id:C-bert", "cookie:K")
    assert who_is_who(NINE + HOUR) == [refused, ann, cookie, bert]


def test_a_finding_is_whose_the_touchpoint_is_that_opened_it() -> None:
    ep = nobody_yet()
    made = viewed(ep, NINE, COOKIE)
    ep.promise("reply", ("ticket", "T"), made, made + DAY, met=None)
    ep.visit("waiting", ("ticket", "T"), made, None, HOUR)
    ep.own(ANN, COOKIE, since=viewed(ep, NINE + 2 * HOUR, ANN, COOKIE))
    for end, whose in ((NINE + 90 * MINUTE, "cookie:K"), (NINE + 3 * HOUR, "customer_id:C-ann")):
        findings = [line for line in truth_of(ep, end) if isinstance(line, PromiseTruth | StallTruth)]
        assert [line.person for line in findings] == [whose, whose]


def test_a_burst_is_seen_whole_or_not_at_all() -> None:
    ep = nobody_yet()
    ep.burst(NINE, NINE + HOUR)
    assert [ep.is_clear(end) for end in (NINE - 1, NINE, NINE + HOUR - 1, NINE + HOUR)] == [
        True,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("story", [late_link, wrong_link, shared_by_few, shared_by_many, family_email])
@pytest.mark.parametrize("seed", range(8))
def test_the_truth_of_a_tangle_is_by_the_book_at_every_moment(
    story: Callable[[Episode], None], seed: int, company_map: JourneyMap
) -> None:
    ep = nobody_yet(seed)
    ep.tangle = "late link"
    story(ep)
    assert sum(1 for _ in moments(ep)) > 5
    for end in moments(ep):
        truth = truth_of(ep, end)
        found = evaluate(transmit(ep, NO_FAULTS, end).records, [], company_map, moment(end))
        rows = compare(truth, found)
        assert [row for row in rows if is_of_persons(row) and not row.is_exact] == []
        # and by the same name, which no comparison asks for
        told = {(line.source, line.id): line.person for line in truth if isinstance(line, TouchpointTruth)}
        assert told == {(touch.source, touch.id): touch.person_id for touch in found.touchpoints}


def moments(ep: Episode) -> Iterator[Micros]:
    """Just before and at each touchpoint but the first, where no burst is cut."""
    for event in ep.events:
        for end in (event.time - 1, event.time):
            if end >= ep.start and all(burst.is_clear(end) for burst in ep.bursts):
                yield end


def is_of_persons(row: Row) -> bool:
    return row.category in ("persons", "tangled", "links refused")
