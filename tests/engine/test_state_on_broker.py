"""Warm state on a real broker: only the tail is read, and whatever happened to the disk, each record counts once."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from counting_worker import Counting
from engine_place import STATE_MEMORY, Place, Worker, assert_counted_once, numbered

from pipeline.engine import warm_state
from pipeline.engine.database import StateBusyError
from pipeline.engine.errors import EXIT_DRAINED, EXIT_STOPPED, ChangelogDamagedError, PositionLostError
from pipeline.engine.hooks import Hooks
from pipeline.engine.opening import Committed
from pipeline.engine.unit import Outcome, Unit
from pipeline.engine.unpacking import ConsumedRecord
from pipeline.engine.warm_state import WarmStates
from pipeline.ports import DamagedStateError, Outbox, Record, Store

pytestmark = [
    pytest.mark.services,
    pytest.mark.filterwarnings("ignore:read_text is deprecated:DeprecationWarning"),  # inside kafka-python
]


class Tail(Hooks):
    """How much of its changelog an opening has read, in offsets."""

    def __init__(self) -> None:
        self.offsets: list[int] = []

    def on_recovery(self, stage: str, topic: str, partition: int, offset: int, end: int) -> None:
        self.offsets.append(offset)

    @property
    def read(self) -> int:
        return self.offsets[-1] - self.offsets[0]


class Disk:
    """One worker's disk, and the openings of partition 0 on it."""

    def __init__(self, place: Place) -> None:
        self.place, self.path = place, place.folder / "state"
        self.tail = Tail()

    def open(
        self, factory: Callable[[int, Store], Counting] | None = None, committed: Committed | None = None
    ) -> Unit:
        self.tail = Tail()
        opener = self.place.opener(WarmStates(self.path, STATE_MEMORY), self.tail)
        return opener.open(self.place.spec(factory), 0, committed, lambda: False)

    @property
    def folder(self) -> Path:
        (folder,) = self.path.iterdir()
        return folder

    def damage(self) -> None:
        damage(self.folder)


def damage(folder: Path) -> None:
    """Change a third of every data file."""
    tables = list(folder.glob("*.sst"))
    assert tables, f"there is nothing to damage in {folder}"
    for table in tables:
        content = bytearray(table.read_bytes())
        for place in range(len(content) // 3, 2 * len(content) // 3):
            content[place] ^= 0x5A
        table.write_bytes(content)


@pytest.fixture
def disk(place: Place) -> Disk:
    place.send([(b"k", b"x")] * 600, partition=0)
    return Disk(place)


def apply(unit: Unit, *offsets: int) -> Outcome:
    """Records with a key each, and one that all share."""
    records = [
        ConsumedRecord("in", 0, offset, 0, key, b"x", [])
        for offset in offsets
        for key in (b"k", b"k%d" % offset)
    ]
    return unit.process(records, offsets[0], offsets[-1] + 1)


def counted(unit: Unit, key: bytes = b"k") -> int:
    return int(unit._store.get(key) or b"0")


def test_a_warm_opening_reads_only_what_came_since(disk: Disk) -> None:
    first = disk.open()
    apply(first, *range(300))
    first.close()
    elsewhere = disk.place.open()
    apply(elsewhere, 300, 301)
    elsewhere.close()
    again = disk.open()
    # the marker of its own last commit, two times: three values, a position and a marker of the other's
    assert disk.tail.read <= 6
    assert again.position == 302
    assert counted(again) == 302
    assert [counted(again, b"k%d" % number) for number in (0, 299, 301)] == [1, 1, 1]
    assert len(again._store) == 303
    again.close()


def test_an_opening_without_a_disk_reads_everything(disk: Disk) -> None:
    first = disk.open()
    apply(first, *range(300))
    first.close()
    elsewhere = disk.place.open()
    assert counted(elsewhere) == 300
    elsewhere.close()
    again = Disk(disk.place)
    again.path = disk.place.folder / "another"
    unit = again.open()
    assert again.tail.read >= 301
    unit.close()


def test_what_was_committed_but_not_yet_written_is_read_again(disk: Disk) -> None:
    first = disk.open()
    apply(first, *range(100))
    first._store.committed = killed  # type: ignore[method-assign]
    with pytest.raises(KilledError):
        apply(first, *range(100, 120))
    first.close()
    again = disk.open()
    assert again.position == 120
    assert counted(again) == 120
    assert 20 < disk.tail.read < 30
    again.close()


class KilledError(Exception):
    """The process has ended here."""


def killed(*_: object) -> None:
    raise KilledError


def test_an_aborted_transaction_leaves_nothing(disk: Disk) -> None:
    first = disk.open()
    apply(first, *range(10))
    first.abandon()
    with pytest.raises(Exception, match="abandoned"):
        apply(first, *range(10, 20))
    first.close()
    again = disk.open()
    assert (again.position, counted(again), len(again._store)) == (10, 10, 11)
    assert again._store.get(b"k15") is None
    again.close()


def test_a_damaged_state_is_rebuilt_from_the_changelog(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    first = disk.open()
    apply(first, *range(300))
    first.close()
    disk.damage()
    again = disk.open(Looking)
    assert "is rebuilt from" in caplog.text or "removed and rebuilt" in caplog.text
    assert (again.position, counted(again), len(again._store)) == (300, 300, 301)
    again.close()


class Looking(Counting):
    """Reads all its state when it is built, as stages do with some of theirs."""

    def __init__(self, partition: int, store: Store) -> None:
        super().__init__(store, "nowhere")
        assert len(list(store.scan(b""))) in (0, 301)


def test_a_state_that_a_logic_finds_damaged_is_not_used_again(disk: Disk) -> None:
    class Finding(Counting):
        def process(self, records: Iterable[Record], outbox: Outbox) -> None:
            super().process(records, outbox)
            raise DamagedStateError("the state has lost something")

    first = disk.open()
    apply(first, *range(10))
    first.close()
    damaged = disk.open(lambda _, store: Finding(store, disk.place.output))
    folder = disk.folder
    with pytest.raises(DamagedStateError):
        apply(damaged, 10)
    damaged.distrust()
    damaged.close()
    assert not folder.exists()
    again = disk.open()
    assert disk.tail.read >= 11
    assert counted(again) == 10
    again.close()


def test_damage_that_was_in_the_changelog_too_is_no_endless_rebuilding(disk: Disk) -> None:
    tries = []

    class Lost(Counting):
        def __init__(self, partition: int, store: Store) -> None:
            tries.append(partition)
            raise DamagedStateError("the state has lost something")

    with pytest.raises(ChangelogDamagedError, match=r"has lost something; .* restore the topic") as stopped:
        disk.open(Lost)
    assert stopped.value.exit_code == EXIT_STOPPED
    assert tries == [0, 0]


def test_a_state_older_than_half_of_what_deletions_are_kept_for_is_rebuilt(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.deletion_retention = 1000
    place.remake(place.changelog)
    place.send([(b"k", b"x")] * 600, partition=0)
    disk = Disk(place)
    first = disk.open()
    apply(first, *range(300))
    first.close()
    time.sleep(0.6)
    again = disk.open()
    assert "deletions leave the changelog" in caplog.text
    assert disk.tail.read >= 301
    assert counted(again) == 300
    again.close()


def test_a_changelog_made_anew_stops_the_worker_also_when_there_is_warm_state(disk: Disk) -> None:
    first = disk.open()
    apply(first, *range(300))
    first.close()
    disk.place.remake(disk.place.changelog)
    with pytest.raises(PositionLostError, match=r"deleted or made anew; restore it, or start"):
        disk.open(committed=Committed(300, "some-topic-id"))


def test_a_failed_opening_gives_the_state_back(disk: Disk) -> None:
    class Failing(Counting):
        def __init__(self, partition: int, store: Store) -> None:
            raise RuntimeError("no logic today")

    for _ in range(2):
        with pytest.raises(RuntimeError, match="no logic today"):
            disk.open(Failing)
    disk.open().close()


def test_a_parked_unit_keeps_its_state_open(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm_state, "_BUSY_SECONDS", 0.0)
    parked = disk.open()
    with pytest.raises(StateBusyError):
        disk.open()
    parked.close()
    disk.open().close()


@pytest.mark.timeout(120)
def test_a_killed_worker_with_its_disk_counts_each_record_once(place: Place) -> None:
    sent = numbered(20_000)
    first = place.worker()
    place.send(sent[:10_000])
    place.read(4_000)
    first.kill()
    second = place.worker(again=first)
    place.read(10_000)
    second.kill()
    place.send(sent[10_000:])
    third = place.worker(again=second)
    assert_counted_once(place.read(len(sent)), sent)
    third.signal(signal.SIGTERM)
    assert third.wait() == EXIT_DRAINED


@pytest.mark.timeout(120)
def test_a_worker_whose_disk_was_damaged_counts_each_record_once(place: Place) -> None:
    sent = numbered(4_000)
    first = drained(place, sent[:2_000])
    for folder in (first.data / "state").iterdir():
        damage(folder)
    place.send(sent[2_000:])
    again = place.worker(again=first)
    assert_counted_once(place.read(len(sent)), sent)
    assert "is damaged" in again.log
    assert again.running


@pytest.mark.timeout(120)
def test_a_changelog_made_anew_stops_a_worker_that_has_warm_state(place: Place) -> None:
    first = drained(place, numbered(100))
    place.remake(place.changelog)
    again = place.worker(again=first)
    assert again.wait() == EXIT_STOPPED
    assert "made anew" in again.log


def drained(place: Place, sent: list[tuple[bytes, bytes]]) -> Worker:
    place.send(sent)
    worker = place.worker()
    assert len(place.read(len(sent))) == len(sent)
    worker.signal(signal.SIGTERM)
    assert worker.wait() == EXIT_DRAINED
    return worker
