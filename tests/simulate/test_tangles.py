"""What makes identity hard, one by one: each is to be seen, and seen to go wrong without what guards against it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

import pytest
from brute_force import decode
from memory_run import inexact, rows_of

from pipeline.simulate import simulation as simulation_module
from pipeline.simulate.company import MOST_LINKS, PHONES, phone_number
from pipeline.simulate.compare import CHAINED, IN_PIECES, Row
from pipeline.simulate.faults import NO_FAULTS, SimulatedRecord
from pipeline.simulate.simulation import Simulation
from pipeline.simulate.tangles import NO_TANGLES, Tangles
from pipeline.simulate.truth import DeadLetterTruth, IdentifierTruth, PromiseTruth, StallTruth, fingerprint
from schemas.journey_map import JourneyMap

ALONE = {
    "late link": (replace(NO_TANGLES, late_links=0.5), set()),
    "shared by few": (replace(NO_TANGLES, shared_by_few=0.3), {"unique"}),
    "shared by many": (replace(NO_TANGLES, shared_by_many=0.2), {"shared"}),
    "family e-mail": (replace(NO_TANGLES, family_emails=0.3), {"unique"}),
    "wrong link": (replace(NO_TANGLES, wrong_links=0.3), {"unlinked"}),
}
"""Tangles of one kind, and the rules by which links then are refused."""


def tangled(name: str) -> Simulation:
    return Simulation(seed=2, customers=60, days=12, faults=NO_FAULTS, tangles=ALONE[name][0])


def count(rows: list[Row], category: str, label: str) -> Row:
    return next(row for row in rows if row[:2] == (category, label))


def without(journey_map: JourneyMap, **guard: object) -> JourneyMap:
    """The map with another rule for every personal kind."""
    kinds = {
        name: kind.model_copy(update=guard) if kind.kind == "personal" else kind
        for name, kind in journey_map.identifiers.items()
    }
    return journey_map.model_copy(update={"identifiers": kinds})


@pytest.mark.parametrize("name", ALONE)
def test_each_tangle_alone_is_injected_and_found(name: str, company_map: JourneyMap) -> None:
    rows = rows_of(tangled(name), company_map)
    assert inexact(rows) == []
    assert {row.label for row in rows if row.category == "tangled"} == {name}
    assert count(rows, "tangled", name).found > 10
    assert {row.label for row in rows if row.category == "links refused"} == ALONE[name][1]


@pytest.mark.parametrize(
    ("name", "guard"),
    [
        ("shared by many", {"most_links": 1000}),
        ("shared by few", {"unique": False}),
        ("family e-mail", {"unique": False}),
    ],
)
def test_without_its_guard_a_map_chains_strangers_together(
    name: str, guard: dict[str, object], company_map: JourneyMap
) -> None:
    rows = rows_of(tangled(name), without(company_map, **guard))
    assert count(rows, "persons", CHAINED).extra > 0
    assert count(rows, "tangled", name).missed > 0


def test_without_the_word_that_parts_them_two_stay_one(company_map: JourneyMap) -> None:
    simulation = tangled("wrong link")
    unsaid = dropping(simulation, lambda record: b"service.identity.unlinked" in record.value)
    assert count(rows_of(simulation, company_map, unsaid), "persons", CHAINED).extra > 0


def test_without_the_touchpoint_that_names_both_a_customer_stays_in_pieces(company_map: JourneyMap) -> None:
    simulation = tangled("late link")
    machines, customers = {"cookie", "device"}, {"customer_id", "email", "phone"}

    def names_both(record: SimulatedRecord) -> bool:
        kinds = set(decode(record).value("identities"))
        return bool(kinds & machines) and bool(kinds & customers)

    rows = rows_of(simulation, company_map, dropping(simulation, names_both))
    assert count(rows, "persons", IN_PIECES).extra > 10


def dropping(simulation: Simulation, is_dropped: Callable[[SimulatedRecord], bool]) -> list[SimulatedRecord]:
    return [record for record in simulation.records() if record.tick is not None or not is_dropped(record)]


def test_promises_and_stalls_of_whoever_was_known_late_are_among_those_found() -> None:
    """A late link that moved no finding would prove little."""
    truth = list(tangled("late link").truth())
    machines = ("cookie:", "device:")
    late = {
        line.person
        for line in truth
        if isinstance(line, IdentifierTruth) and line.tangle and line.identifier.startswith(machines)
    }
    known = {person for person in late if not person.startswith(machines)}
    assert len(known & {line.person for line in truth if isinstance(line, PromiseTruth)}) > 10
    assert known & {line.person for line in truth if isinstance(line, StallTruth)}


def test_an_identifier_is_one_persons_in_the_whole_truth() -> None:
    simulation = Simulation(seed=4, customers=200, tangles=Tangles(0.3, 0.1, 0.1, 0.1, 0.1))
    owners: dict[str, set[str]] = defaultdict(set)
    for line in simulation.truth():
        if isinstance(line, IdentifierTruth):
            owners[line.identifier].add(line.person)
    assert {len(persons) for persons in owners.values()} == {1}
    assert {identifier.partition(":")[0] for identifier in owners} == {
        "customer_id",
        "email",
        "phone",
        "device",
        "cookie",
    }


def test_every_other_episode_is_the_same_byte_for_byte_as_without_tangles() -> None:
    plain, mixed = (by_episode(Simulation(seed=5, customers=300, tangles=each)) for each in BOTH)
    changed = {tag for tag in plain if plain[tag] != mixed[tag]}
    assert set(plain) == set(mixed)
    assert 0 < len(changed) < 2 * Tangles().share * len(plain)


def test_every_other_episode_is_the_same_byte_for_byte_as_without_machines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mixed = by_episode(Simulation(seed=5, customers=300))
    monkeypatch.setattr(simulation_module, "_CONTRACTS", 0)
    plain = by_episode(Simulation(seed=5, customers=300))
    changed = {tag for tag in plain if plain[tag] != mixed[tag]}
    assert set(plain) == set(mixed)
    assert 0 < len(changed) < 0.1 * len(plain)
    assert changed == {
        tag for tag, sent in mixed.items() if any(b'"contract":' in value for _, value in sent)
    }


BOTH = (NO_TANGLES, Tangles())


def by_episode(simulation: Simulation) -> dict[str, set[tuple[int, bytes]]]:
    """When good touchpoints came and their bytes, by the tag of their episode."""
    refused = {line.fingerprint for line in simulation.truth() if isinstance(line, DeadLetterTruth)}
    episodes: dict[str, set[tuple[int, bytes]]] = defaultdict(set)
    for record in simulation.records():
        if record.tick is None and fingerprint(record.value) not in refused:
            episodes[decode(record).id.rpartition("-")[0]].add((record.arrival, record.value))
    return episodes


def test_the_map_lets_as_many_share_a_machine_as_the_stories_take_it_to(company_map: JourneyMap) -> None:
    assert company_map.identifiers["cookie"].most_links == MOST_LINKS
    assert company_map.identifiers["device"].most_links == MOST_LINKS


@pytest.mark.parametrize("share", [-0.1, 0.98])
def test_shares_that_are_none_are_refused(share: float) -> None:
    with pytest.raises(ValueError, match="at least 0 and together at most 1"):
        Tangles(late_links=share)


def test_no_two_customers_have_one_phone_number_and_all_are_written_as_e_164_does() -> None:
    some = [*range(0, PHONES, 99_991), 999_999, 1_000_000, PHONES - 1]
    numbers = {phone_number(index) for index in some}
    assert len(numbers) == len(set(some))
    assert all(re.fullmatch(r"\+49[1-9]\d{9,12}", number) for number in numbers)
