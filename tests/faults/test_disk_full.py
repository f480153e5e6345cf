"""Scenario 8: the disk of the broker, the warehouse or a worker is full; state on disk is damaged, a changelog is lost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cluster import NewSettings, cluster, until
from embedded_services import free_port
from workload import large, send, small

from pipeline.embedded.clickhouse import EmbeddedClickHouse
from pipeline.embedded.kafka import EmbeddedKafka
from pipeline.engine.errors import EXIT_STOPPED
from pipeline.engine.topics import delete_topics
from pipeline.operations.pipelines import create

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

ROOM = "2g"


class Disk:
    """A file system in memory, of a size that can be changed."""

    def __init__(self, folder: Path, size: str) -> None:
        self.folder = folder
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], check=True)

    def resize(self, size: str) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.folder)], check=True)

    def fill(self, but: int) -> None:
        """Leave so many bytes, and at least none."""
        while True:
            room = os.statvfs(self.folder)
            used = (room.f_blocks - room.f_bfree) * room.f_frsize
            with suppress(subprocess.CalledProcessError):  # somebody has written meanwhile
                return self.resize(str(used + but))

    def free(self) -> None:
        self.resize(ROOM)

    def unmount(self) -> None:
        subprocess.run(["umount", "-l", str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if os.geteuid():
        pytest.fail("a small disk can only be mounted by root: run this scenario as root, in a container")
    disk = Disk(tmp_path / "disk", ROOM)
    try:
        yield disk
    finally:
        disk.unmount()


@pytest.mark.faults
def test_a_warehouse_whose_disk_is_full_catches_up_when_there_is_room(
    new_settings: NewSettings, tmp_path: Path, disk: Disk, assert_base: Callable[..., None]
) -> None:
    server = EmbeddedClickHouse(disk.folder / "clickhouse", free_port())
    server.start()
    try:
        with cluster(new_settings(clickhouse=server.address), tmp_path) as running:
            workload = large()
            parts = workload.parts(2)
            running.start()
            send(running.settings, next(parts))
            running.settle()
            disk.fill(but=256 * 1024)
            send(running.settings, next(parts))
            until(lambda: "could not write" in running.said(), "an insert fails", 90)
            running.require_all_running()
            disk.free()
            assert_base(running, workload, "the warehouse's disk full for a while")
    finally:
        server.stop()


@pytest.mark.faults
def test_a_broker_whose_disk_is_full_goes_on_when_there_is_room(
    new_settings: NewSettings, tmp_path: Path, disk: Disk, assert_base: Callable[..., None]
) -> None:
    """Kafka ends when it can't write; whoever runs it makes room and starts it again."""
    port = free_port(neighbours=1)
    broker = EmbeddedKafka(disk.folder / "kafka", port, port + 1)
    broker.start()
    try:
        with cluster(new_settings(kafka=broker.bootstrap), tmp_path) as running:
            running.restarts = True
            workload = large()
            parts = workload.parts(3)
            running.start()
            send(running.settings, next(parts))
            running.settle()
            send(running.settings, next(parts))
            disk.fill(but=1024 * 1024)
            until(lambda: not broker.alive(), "the broker ends", 120)
            broker.kill()
            disk.free()
            broker.start()
            send(running.settings, next(parts))
            ends = ", ".join(map(str, running.ends)) or "none"
            assert_base(
                running,
                workload,
                f"the broker's disk full, it ended and came back; workers that ended: {ends}",
            )
    finally:
        broker.stop()


@pytest.mark.faults
def test_a_worker_whose_disk_is_full_goes_on_when_there_is_room(
    new_settings: NewSettings, tmp_path: Path, disk: Disk, assert_base: Callable[..., None]
) -> None:
    with cluster(new_settings(home=disk.folder / "home"), tmp_path) as running:
        running.restarts = True
        workload = large()
        parts = workload.parts(2)
        running.start()
        send(running.settings, next(parts))
        running.settle()
        disk.fill(but=64 * 1024)
        send(running.settings, next(parts))
        until(lambda: "can't be used" in running.said(), "the state can't be written", 120)
        disk.free()
        assert_base(running, workload, "a worker's disk full for a while")


@pytest.mark.faults
def test_a_worker_whose_state_is_damaged_rebuilds_it_from_the_changelog(
    new_settings: NewSettings, tmp_path: Path, assert_base: Callable[..., None]
) -> None:
    with cluster(new_settings(), tmp_path) as running:
        workload = small()
        parts = workload.parts(2)
        first = running.start()
        send(running.settings, next(parts))
        running.settle()
        running.end()
        tables = list(running.settings.home.rglob(f"workers/**/{first.index}/state/**/*.sst"))
        for table in tables:
            content = bytearray(table.read_bytes())
            content[len(content) // 3 : 2 * len(content) // 3] = bytes(len(content) // 3)
            table.write_bytes(content)
        assert tables, "there is nothing to damage"
        again = running.start(index=first.index)
        send(running.settings, next(parts))
        assert_base(running, workload, f"{len(tables)} files of state damaged between two runs")
        assert "rebuilt from" in again.log()


@pytest.mark.faults
def test_a_lost_changelog_stops_the_worker_with_what_to_do(new_settings: NewSettings, tmp_path: Path) -> None:
    workload, settings = small(), new_settings()
    with cluster(settings, tmp_path) as running:
        running.start()
        send(settings, workload.records)
        running.settle()
        running.end()
        topology = settings.topology
        delete_topics(settings.kafka_admin, [topology.changelog("journey", topology.journeys)])
        missing = running.start()
        assert missing.await_end() not in {0, 1}
        assert "throughline prepare" in missing.log()
        running.workers.clear()
        create(settings)
        anew = running.start()
        assert anew.await_end() == EXIT_STOPPED
        running.workers.clear()
        assert "restore it, or start the pipeline under a new name" in anew.log()
