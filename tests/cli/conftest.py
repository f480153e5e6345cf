"""The command line as a user has it, in this process: arguments in; exit code, output and errors out."""

from __future__ import annotations

import json
import os
import signal
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import NOWHERE, CommandLine, Done, Replayed, Throughline
from small_shop import SmallShop, small_shop

from pipeline.cli.main import run


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of the test's own, without anybody's settings, and with addresses where nobody listens."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("THROUGHLINE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("THROUGHLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("THROUGHLINE_KAFKA", NOWHERE)
    monkeypatch.setenv("THROUGHLINE_CLICKHOUSE", NOWHERE)
    monkeypatch.setenv("THROUGHLINE_METRICS_PORT", "0")
    return tmp_path


@pytest.fixture
def throughline(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Throughline]:
    """Runs one command; whatever it does wrong, it never shows a traceback."""
    before = signal.getsignal(signal.SIGTERM)

    def call(*arguments: object) -> Done:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["throughline", *map(str, arguments)])
        try:
            run()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        printed = capsys.readouterr()
        assert "Traceback" not in printed.out + printed.err
        return Done(code, printed.out, printed.err)

    yield call
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def shop(home: Path) -> SmallShop:
    return small_shop(home / "shop")


@pytest.fixture(scope="session")
def replayed(kafka: str, clickhouse: str, tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    folder = tmp_path_factory.mktemp("replayed")
    shop = small_shop(folder / "shop")
    addresses = {"home": folder / "home", "kafka": kafka, "clickhouse": clickhouse, "metrics_port": 0}
    throughline = CommandLine(folder, addresses)
    name = f"cli-{uuid.uuid4().hex[:8]}"
    done = throughline("replay", *shop.arguments, "--name", name, "--workers", 1, "--json")
    assert done.code == 0, done.err
    return Replayed(name, json.loads(done.out), shop, throughline)
