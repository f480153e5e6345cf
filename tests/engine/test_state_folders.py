"""State folders without a broker: what is trusted, what is rebuilt, what is nobody's to touch."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from state_bench import HOUR, MEMORY, SOURCE, States

from pipeline.engine import warm_state
from pipeline.engine.database import StateBusyError, StateUnusableError, typed
from pipeline.engine.logs import Bounds
from pipeline.engine.rocks_store import FORMAT, Kept, RocksStore
from pipeline.engine.store import Reached
from pipeline.engine.warm_state import Source, why_not
from pipeline.ports import DamagedStateError

NOW = 1_800_000_000_000
KEPT = Kept(FORMAT, "topic-id", 500, b"position", NOW - HOUR, 3, 30)


@pytest.fixture
def states(tmp_path: Path) -> States:
    return States(tmp_path / "state")


def fill(store: RocksStore, keys: int = 3000, offset: int = 500) -> None:
    for number in range(keys):
        store.put(b"k%05d" % number, b"%08d" % number)
    store.committed(Reached(offset, b"position", time.time_ns() // 1_000_000))


@pytest.mark.parametrize(
    ("kept", "source", "why"),
    [
        (KEPT, SOURCE, None),
        (Kept(FORMAT + 1, "topic-id", 500, b"", NOW, 0, 0), SOURCE, "format"),
        (KEPT, replace(SOURCE, topic_id="another"), "made anew"),
        (KEPT, replace(SOURCE, bounds=Bounds(501, 900)), r"500 is outside of the changelog \[501, 900\]"),
        (KEPT, replace(SOURCE, bounds=Bounds(0, 499)), "outside of the changelog"),
        (KEPT, replace(SOURCE, bounds=Bounds(500, 500)), None),
        (KEPT, replace(SOURCE, retention=2 * HOUR), None),
        (
            KEPT,
            replace(SOURCE, retention=2 * HOUR - 2),
            "1.0 h old, and deletions leave the changelog after 2.0 h",
        ),
        (Kept(FORMAT, "topic-id", 500, b"", NOW + 1, 0, 0), SOURCE, "h old"),
    ],
)
def test_a_state_is_used_only_if_what_it_lacks_is_still_in_its_changelog(
    kept: Kept, source: Source, why: str | None
) -> None:
    said = why_not(kept, source, NOW)
    assert said is None if why is None else said is not None and re.search(why, said), said


def test_a_state_that_was_closed_is_there_when_it_is_opened(states: States) -> None:
    store = states.open("s")
    fill(store)
    store.close()
    again = states.open("s")
    assert again.reached is not None
    assert (again.reached.offset, again.reached.position) == (500, b"position")
    assert len(again) == 3000
    assert again.get(b"k00007") == b"00000007"
    again.close()


def test_what_was_not_committed_never_reaches_the_disk(states: States) -> None:
    store = states.open("s")
    fill(store)
    store.put(b"k00007", b"aborted")
    store.put(b"new", b"aborted")
    store.delete(b"k00008")
    store.close()
    again = states.open("s")
    assert (again.get(b"k00007"), again.get(b"new"), again.get(b"k00008")) == (b"00000007", None, b"00000008")
    again.close()


def test_a_state_that_does_not_fit_its_changelog_is_removed_and_begun_anew(
    states: States, caplog: pytest.LogCaptureFixture
) -> None:
    store = states.open("s")
    fill(store)
    store.close()
    anew = states.open("s", replace(SOURCE, topic_id="another"))
    assert anew.reached is None
    assert (len(anew), list(anew.scan(b""))) == (0, [])
    assert "is removed and rebuilt from log-0" in caplog.text
    anew.close()


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for place in range(len(content) // 3, 2 * len(content) // 3):
        content[place] ^= 0x5A
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def garbage(path: Path) -> None:
    path.write_bytes(b"\x07garbage" * 20)


@pytest.mark.parametrize("damage", [flip, cut, garbage, Path.unlink])
@pytest.mark.parametrize("files", ["*.sst", "MANIFEST-*", "CURRENT"])
def test_a_damaged_state_is_told_and_begun_anew(
    states: States, damage: Callable[[Path], None], files: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = states.open("s")
    fill(store)
    store.close()
    for path in (states.folder / "s").glob(files):
        damage(path)
    try:
        again = states.open("s")
        list(again.scan(b""))
    except DamagedStateError:  # found only by looking: whoever has it open throws it away
        again.distrust()
        again.close()
        again = states.open("s")
    assert (again.reached, len(again), list(again.scan(b""))) == (None, 0, [])
    again.close()


def test_damage_that_is_found_while_it_is_open_is_an_error_and_ends_no_range_early(states: States) -> None:
    store = states.open("s")
    fill(store)
    store.close()
    again = states.open("s")
    for path in (states.folder / "s").glob("*.sst"):
        flip(path)
    with pytest.raises(DamagedStateError, match="is damaged"):
        [again.get(b"k%05d" % number) for number in range(3000)]
    with pytest.raises(DamagedStateError, match="is damaged"):
        list(again.scan(b"k"))
    again.distrust()
    again.close()
    assert not (states.folder / "s").exists()


HOLDER = """
import sys
from rocksdict import Options, Rdict
held = Rdict(sys.argv[1], Options(raw_mode=True))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(states: States) -> Iterator[subprocess.Popen[str]]:
    """A living process that has the folder `s` open."""
    store = states.open("s")
    fill(store)
    store.close()
    command = [sys.executable, "-c", HOLDER, str(states.folder / "s")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_state_that_a_living_process_has_open_is_not_touched(
    states: States, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm_state, "_BUSY_SECONDS", 0.3)
    with pytest.raises(StateBusyError, match="in use by another process; stop the other worker"):
        states.open("s")
    holder.kill()
    holder.wait()
    again = states.open("s")
    assert len(again) == 3000
    again.close()


def test_the_end_of_the_process_before_is_waited_for(states: States, holder: subprocess.Popen[str]) -> None:
    assert holder.stdin is not None
    holder.stdin.close()
    again = states.open("s")
    assert len(again) == 3000
    again.close()


def test_one_state_is_never_open_twice(states: States, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm_state, "_BUSY_SECONDS", 0.0)
    store = states.open("s")
    with pytest.raises(StateBusyError):
        states.open("s")
    store.close()
    store.close()
    states.open("s").close()


def test_a_folder_that_cannot_be_made_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StateUnusableError, match="make room and see to its permissions"):
        States(tmp_path / "file").open("s")


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("IO error: No space left on device: While appending to file: /s/000012.sst", StateUnusableError),
        (
            "IO error: While open a file for appending: /s/000012.sst: Read-only file system",
            StateUnusableError,
        ),
        ("Corruption: block checksum mismatch", DamagedStateError),
        ("IO error: No such file or directory: While open a file for random read", DamagedStateError),
    ],
)
def test_a_full_disk_is_told_from_damage(said: str, kind: type[Exception]) -> None:
    assert type(typed(Exception(said), Path("/s"))) is kind


def test_what_waits_to_be_written_and_what_is_cached_stay_within_the_setting(tmp_path: Path) -> None:
    states = States(tmp_path)
    memory = states.warm._memory
    stores = [states.open(f"s{number}") for number in range(3)]
    for round_ in range(30):
        for store in stores:
            for number in range(500):
                store.put(b"%d/%d" % (round_, number), bytes(4000))
            store.committed(Reached(round_ + 1, None, 0))
        unwritten = sum(store._bytes for store in stores)
        assert unwritten <= MEMORY // 4
        assert memory.cache.get_usage() + unwritten <= MEMORY
    assert all(sum(1 for _ in store.scan(b"")) == len(store) == 15_000 for store in stores)
    for store in stores:
        store.close()
