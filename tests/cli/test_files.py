"""`validate`, `simulate` and `schemas export`: files in, files out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from command_line import Throughline
from small_shop import SmallShop


def test_a_valid_map_is_told_with_what_it_has(throughline: Throughline, shop: SmallShop) -> None:
    done = throughline("validate", shop.map)
    assert done.code == 0
    assert " ".join(done.out.split()) == (
        f"{shop.map}: valid. 2 touchpoint types, 1 journeys, 1 promises, 1 stages."
    )


def test_every_problem_of_a_map_is_told_at_once(throughline: Throughline, shop: SmallShop) -> None:
    text = (
        shop.map.read_text("utf-8").replace("expected: 3d", "expected: soon").replace("{owner: shop}", "{}")
    )
    shop.map.write_text(text, "utf-8")
    done = throughline("validate", shop.map)
    assert (done.code, done.out) == (2, "")
    assert f"{shop.map}:7: touchpoints.sales.order.placed.owner: this field is missing; add it" in done.said
    assert f"{shop.map}:23: journeys.order.stages.on_its_way.expected: write a duration as" in done.said


def test_a_map_that_is_not_yaml_is_told_with_the_line(throughline: Throughline, shop: SmallShop) -> None:
    shop.map.write_text("version: 1\nname: [\n", "utf-8")
    done = throughline("validate", shop.map)
    assert done.code == 2
    assert f"{shop.map}:3: " in done.said


def test_a_simulation_is_written_with_its_truth_and_is_the_same_for_the_same_seed(
    throughline: Throughline, home: Path
) -> None:
    written = []
    for folder in ("one", "two"):
        done = throughline("simulate", "--to", home / folder, "--customers", 20, "--days", 2, "--seed", 5)
        assert done.code == 0
        assert f"the truth is in {home / folder / 'truth.jsonl'}; it holds as of " in done.out
        written.append([(home / folder / name).read_bytes() for name in ("truth.jsonl", "records.jsonl")])
        assert f"{len(written[-1][1].splitlines())} records in {home / folder / 'records.jsonl'}" in done.out
    assert written[0] == written[1]
    line = json.loads(written[0][1].splitlines()[0])
    assert set(line) == {"topic", "key", "headers", "value"}


def test_a_simulation_says_what_it_injected_and_leaves_tangles_out_if_told_to(
    throughline: Throughline, home: Path
) -> None:
    of = ("simulate", "--customers", 200, "--days", 6, "--seed", 5)
    mixed, plain = (
        throughline(*of, "--to", home / "mixed"),
        throughline(*of, "--to", home / "plain", "--no-tangles"),
    )
    said = {" ".join(line.split()[:-1]) for line in mixed.out.splitlines()}
    assert {"touchpoints", "persons", "tangled family e-mail", "late link", "links refused shared"} <= said
    assert "tangled" not in plain.out
    assert "links refused" not in plain.out
    persons = {line["person"] for line in truth_in(home / "mixed") if line["kind"] == "touchpoint"}
    assert f"persons {len(persons)}" in [" ".join(line.split()) for line in mixed.out.splitlines()]


def truth_in(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "truth.jsonl").read_text("utf-8").splitlines()]


def test_a_simulation_needs_an_instant_to_start_at(throughline: Throughline, home: Path) -> None:
    done = throughline("simulate", "--to", home / "one", "--start", "monday")
    assert done.code == 2
    assert "write an instant such as 2018-10-22T03:33:14Z, not 'monday'" in done.said
    assert not (home / "one").exists()


def test_the_contracts_are_written_and_named(throughline: Throughline, home: Path) -> None:
    done = throughline("schemas", "export", "--to", home / "contracts")
    assert done.code == 0
    written = sorted((home / "contracts").rglob("*.json"))
    assert written
    assert sorted(done.out.replace("\n", "").split(str(home))[1:]) == [
        str(p).removeprefix(str(home)) for p in written
    ]
    for path in written:
        json.loads(path.read_text("utf-8"))


def test_a_folder_that_cannot_be_made_is_named(throughline: Throughline, home: Path) -> None:
    (home / "taken").write_text("a file", "utf-8")
    done = throughline("schemas", "export", "--to", home / "taken")
    assert done.code == 2
    assert done.said.startswith(f"error: {home / 'taken'}: ")
