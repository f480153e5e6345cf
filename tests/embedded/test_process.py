"""Child processes: nothing outlives its starter, and the log says why something ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from embedded_services import free_port

from pipeline.embedded.errors import FolderUnusableError, PortTakenError, StartFailedError
from pipeline.embedded.folder import FolderLock
from pipeline.embedded.ports import holder_of, is_free, require_free
from pipeline.embedded.process import Child

SLEEP = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def child(tmp_path: Path, code: str) -> Child:
    return Child("It", [sys.executable, "-c", code], tmp_path / "it.log")


def await_up(log: Path) -> None:
    limit = time.monotonic() + 20
    while not log.exists() or "up" not in log.read_text():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_the_exit_code_is_the_command_s(tmp_path: Path) -> None:
    ended = child(tmp_path, "import sys; sys.exit(5)")
    assert ended.stop(20) in (5, 143)  # it may have been asked to end before it could
    quick = child(tmp_path, "import os; os.kill(os.getpid(), 9)")
    while quick.alive():
        time.sleep(0.01)
    assert quick.stop(0) == 137


def test_a_child_that_ignores_the_request_is_killed_when_the_time_is_up(tmp_path: Path) -> None:
    stubborn = child(tmp_path, STUBBORN)
    await_up(stubborn.log)
    assert stubborn.stop(0.2) == 137


def test_a_child_gets_no_signal_from_the_terminal(tmp_path: Path) -> None:
    own = child(tmp_path, SLEEP)
    assert os.getpgid(own.pid) == own.pid != os.getpgid(0)
    own.stop(0)


def test_readiness_is_waited_for_and_an_end_before_it_is_told_with_the_log(tmp_path: Path) -> None:
    own = child(tmp_path, SLEEP)
    own.await_ready(lambda: "up" in own.log.read_text(), 20)
    own.stop(0)
    failed = child(tmp_path, "print('no disk'); raise SystemExit(7)")
    with pytest.raises(
        StartFailedError, match=r"(?s)It ended with exit code 7 while starting; .*it\.log:\n  no disk"
    ):
        failed.await_ready(lambda: False, 20)
    failed.stop(0)


def test_a_child_that_is_never_ready_is_told_too(tmp_path: Path) -> None:
    silent = child(tmp_path, "import time; time.sleep(60)")
    with pytest.raises(StartFailedError, match="It was not ready after 0 s; it wrote nothing to"):
        silent.await_ready(lambda: False, 0.1)
    silent.stop(0)


def test_last_words_are_of_this_run_alone(tmp_path: Path) -> None:
    (tmp_path / "it.log").write_text("an earlier run\n")
    own = child(tmp_path, "print('up')")
    await_up(own.log)
    assert "an earlier run" not in own.last_words()
    own.stop(5)


def test_a_large_log_is_put_aside(tmp_path: Path) -> None:
    with (tmp_path / "it.log").open("wb") as log:
        log.truncate(11 * 1024 * 1024)
    own = child(tmp_path, "print('up')")
    await_up(own.log)
    own.stop(5)
    assert (tmp_path / "it.log.1").stat().st_size == 11 * 1024 * 1024


STARTER = """
import sys, time
from pathlib import Path
from pipeline.embedded.process import Child
Child("It", [sys.executable, "-c", sys.argv[2]], Path(sys.argv[1]))
time.sleep(60)
"""


def test_a_child_ends_when_its_starter_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "it.log"
    code = "import os, time; print('up', os.getpid(), flush=True); time.sleep(60)"
    starter = subprocess.Popen([sys.executable, "-c", STARTER, str(log), code])
    await_up(log)
    pid = int(log.read_text().split()[1])
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    limit = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_a_folder_has_one_holder_at_a_time(tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    first.acquire("It")
    with pytest.raises(
        FolderUnusableError, match=f"It can't use {tmp_path}: process {os.getpid()} works in it"
    ):
        second.acquire("It")
    first.release()
    second.acquire("It")
    second.release()


def test_a_free_port_has_no_holder() -> None:
    port = free_port()
    assert is_free(port)
    assert holder_of(port) is None
    require_free(port, "It", "THIS")


def test_a_port_whose_holder_is_unknown_is_still_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.embedded.ports.is_free", lambda _: False)
    with pytest.raises(PortTakenError, match=r"the port is taken; end that process or change THIS\."):
        require_free(free_port(), "It", "THIS")
