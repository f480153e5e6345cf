"""Every decoder holds its law: over its whole corpus, and over some hundred broken copies of it, the same in every run.

`make fuzz` looks further, for as long as it is given.
"""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
from fuzzed_map import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from server_law import check_on
from state_law import STAGES
from targets import TARGETS, Target

from pipeline.core.run import IDENTITY, JOURNEYS, LINKS, STAYS
from pipeline.embedded.clickhouse import EmbeddedClickHouse

IN_PROCESS = {
    "touchpoint_json": {"route", "malformed_json", "missing_field", "impossible_time"},
    "binary_mode": {"route", "tick", "bad_headers"},
    "frames": {"3 readers", "2 readers", "1 readers"},
    "state": {"read", "refused"},
    "map": {"taken", "refused"},
    "mapping": {"taken", "refused"},
    "tables": {"imported", "refused"},
    "dead_letters": {"ours", "foreign"},
    "outputs": {"accepted"},
}
"""What the corpus of a target reaches at the least: an input that is refused at the first byte tests nothing else."""
EXAMPLES = {"map": 15, "mapping": 30, "tables": 60, "state": 60}
SEEDS = st.integers(0, 2**32)
MOST_GROWTH = 512 * 1024 * 1024


def test_every_target_is_tested() -> None:
    assert set(TARGETS) == {*IN_PROCESS, "warehouse_server"}


@pytest.mark.parametrize("name", IN_PROCESS)
def test_the_law_holds_over_the_corpus(name: str) -> None:
    target = TARGETS[name]
    became = {str(target.check(path.read_bytes())) for path in target.corpus()}
    assert became >= IN_PROCESS[name]


@pytest.mark.parametrize("name", IN_PROCESS)
def test_the_law_holds_for_broken_copies(name: str) -> None:
    target = TARGETS[name]

    @settings(max_examples=EXAMPLES.get(name, 120), derandomize=True, database=None, deadline=None)
    @given(SEEDS)
    def holds(seed: int) -> None:
        target.check(target.mutant(seed))

    holds()


def test_every_example_of_the_contracts_is_in_the_corpus() -> None:
    corpus = {path.read_bytes() for path in TARGETS["touchpoint_json"].corpus()}
    missing = [
        path.name
        for path in Path(ROOT, "examples", "touchpoints").glob("*/*.json")
        if path.name != "expected.json" and path.read_bytes() not in corpus
    ]
    assert not missing, "run `python tests/fuzz/seeds.py`"


def test_the_state_of_every_stage_and_the_frames_of_every_hop_are_in_the_corpus() -> None:
    states = {path.name.partition("-")[0] for path in TARGETS["state"].corpus()}
    hops = {path.name.partition("-")[0] for path in TARGETS["frames"].corpus()}
    assert states >= set(STAGES)
    assert hops >= {IDENTITY, LINKS, JOURNEYS, STAYS}


@pytest.mark.services
def test_the_warehouse_outlives_whatever_its_clients_send(
    warehouse_process: EmbeddedClickHouse, tmp_path: Path
) -> None:
    port, target = warehouse_process.port, TARGETS["warehouse_server"]
    process = _server_of(port)
    became = {check_on(port, data) for data in _conversations(target)}
    before, threads = process.memory_info().rss, process.num_threads()
    for seed in range(60):
        check_on(port, target.mutant(seed))
    assert became >= {"greeted", "exception", "sent away", "HTTP"}
    assert process.memory_info().rss < before + MOST_GROWTH, "what is announced is not allocated"
    assert process.num_threads() <= threads + 4, "no client has left a thread behind"
    assert "nobody foresaw" not in (tmp_path / "log").read_text("utf-8")


def _conversations(target: Target) -> list[bytes]:
    return [path.read_bytes() for path in target.corpus()]


def _server_of(port: int) -> psutil.Process:
    """The process that listens there; it has a guardian, which is called like it."""
    alike = [
        process
        for process in psutil.Process().children(recursive=True)
        if "pipeline.embedded.clickhouse" in process.cmdline() and str(port) in process.cmdline()
    ]
    return max(alike, key=lambda process: process.memory_info().rss)
