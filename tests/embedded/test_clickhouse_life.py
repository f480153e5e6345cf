"""Starting, ending and crashing: the data stay, and every mistake has its sentence."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import NetworkError
from embedded_services import free_port

from pipeline.embedded.clickhouse import EmbeddedClickHouse
from pipeline.embedded.errors import FolderUnusableError, PortTakenError, StartFailedError

pytestmark = pytest.mark.services


def execute(server: EmbeddedClickHouse, *arguments: object) -> object:
    client = Client("127.0.0.1", port=server.port)
    try:
        return client.execute(*arguments)
    finally:
        client.disconnect()


def test_what_was_inserted_is_there_after_a_stop_and_after_a_kill(folder: Path) -> None:
    server = EmbeddedClickHouse(folder, free_port())
    server.start()
    execute(server, "CREATE TABLE t (a UInt32) ENGINE = MergeTree ORDER BY a")
    execute(server, "INSERT INTO t VALUES", [(1,), (2,)])
    server.stop()
    assert not server.alive()
    server.start()
    execute(server, "INSERT INTO t VALUES", [(3,)])
    server.kill()
    server.start()
    assert execute(server, "SELECT a FROM t ORDER BY a") == [(1,), (2,), (3,)]
    server.stop()
    assert "ClickHouse has ended" in server.log.read_text()


def test_a_kill_within_inserts_leaves_whole_blocks_only(folder: Path) -> None:
    server = EmbeddedClickHouse(folder, free_port())
    server.start()
    execute(server, "CREATE TABLE t (a UInt32, n UInt32) ENGINE = MergeTree ORDER BY a")
    confirmed = []

    def insert() -> None:
        client = Client("127.0.0.1", port=server.port)
        for n in range(10_000):
            try:
                client.execute("INSERT INTO t VALUES", [[*range(1000)], [n] * 1000], columnar=True)
            except (OSError, EOFError, NetworkError):  # within a statement, or between two of them
                return
            confirmed.append(n)

    thread = threading.Thread(target=insert)
    thread.start()
    while len(confirmed) < 5:
        time.sleep(0.01)
    server.kill()
    thread.join()
    server.start()
    rows = execute(server, "SELECT n, count() FROM t GROUP BY n ORDER BY n")
    server.stop()
    assert rows[: len(confirmed)] == [(n, 1000) for n in confirmed]
    assert rows[len(confirmed) :] in ([], [(len(confirmed), 1000)])


def test_a_stop_waits_for_the_query_under_way(folder: Path) -> None:
    server = EmbeddedClickHouse(folder, free_port())
    server.start()
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(execute(server, "SELECT sleep(1)")))
    thread.start()
    while execute(server, "SELECT count() FROM system.processes WHERE query LIKE 'SELECT sleep%'") == [(0,)]:
        time.sleep(0.02)
    server.stop()
    thread.join()
    assert answers == [[(0,)]]


def test_a_folder_is_served_once(clickhouse: EmbeddedClickHouse) -> None:
    with pytest.raises(FolderUnusableError, match=rf"process {os.getpid()} works in it.*THROUGHLINE_HOME"):
        EmbeddedClickHouse(clickhouse.folder, free_port()).start()


def test_the_server_itself_refuses_data_in_use(clickhouse: EmbeddedClickHouse) -> None:
    data = clickhouse.folder / "data"
    command = [
        sys.executable,
        "-m",
        "pipeline.embedded.clickhouse",
        "--port",
        str(free_port()),
        "--data",
        str(data),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "works in it" in done.stderr


def test_a_taken_port_is_named_with_its_holder_and_the_setting(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        wanted = (
            rf"127.0.0.1:{port}: the port is taken by process {os.getpid()} .*change THROUGHLINE_CLICKHOUSE"
        )
        with pytest.raises(PortTakenError, match=wanted):
            EmbeddedClickHouse(folder, port).start()


def test_a_path_that_means_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FolderUnusableError, match=r"\{ \} has a meaning of its own"):
        EmbeddedClickHouse(tmp_path / "{x}", free_port()).start()


def test_data_that_the_engine_cannot_open_end_the_start_with_its_words(folder: Path) -> None:
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "store").write_text("not a folder")
    with pytest.raises(
        StartFailedError, match=r"(?s)ClickHouse ended with exit code 1 while starting; the end of .*Error"
    ):
        EmbeddedClickHouse(folder, free_port()).start()


STARTER = """
import sys, time
from pathlib import Path
from pipeline.embedded.clickhouse import EmbeddedClickHouse
EmbeddedClickHouse(Path(sys.argv[1]), int(sys.argv[2])).start()
print("up", flush=True)
time.sleep(600)
"""


def test_a_server_ends_with_its_starter_and_the_next_start_just_works(folder: Path) -> None:
    port = free_port()
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(folder), str(port)], stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout is not None
    with starter.stdout:
        assert starter.stdout.readline() == "up\n"
        starter.send_signal(signal.SIGKILL)
        starter.wait()
    server = EmbeddedClickHouse(folder, port)
    server.start()
    assert execute(server, "SELECT 1") == [(1,)]
    server.stop()
