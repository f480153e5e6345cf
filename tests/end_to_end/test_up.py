"""`throughline up` as a user has it: everything on this machine, Ctrl-C, and on again where it was."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest
from command_line import CommandLine
from embedded_services import free_port
from pipelines import until
from small_shop import SmallShop, small_shop

from pipeline.operations.sources import SourceWriter
from pipeline.settings import Settings
from pipeline.warehouse.client import Warehouse

pytestmark = [pytest.mark.services, pytest.mark.slow]


def purchase(number: str) -> bytes:
    return json.dumps(
        {
            "specversion": "1.0",
            "id": number,
            "source": "/shop",
            "type": "sales.order.placed",
            "time": "2018-05-01T10:00:00Z",
            "identities": {"customer_id": "anna", "order_id": number},
            "data": {"promised": "2018-05-05T00:00:00Z"},
        }
    ).encode()


class Up:
    """A running `up`, and what it has said so far."""

    def __init__(self, throughline: CommandLine, shop: SmallShop) -> None:
        self.process = throughline.start("up", "--map", shop.map, "--workers", 1)
        self.said: list[str] = []
        streams = (self.process.stdout, self.process.stderr)
        self._listeners = [threading.Thread(target=self._listen, args=(each,)) for each in streams]
        for listener in self._listeners:
            listener.start()

    def _listen(self, stream: Iterable[str]) -> None:
        self.said.extend(stream)

    def close(self) -> None:
        """It has ended: hear the rest."""
        for listener in self._listeners:
            listener.join(10)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def has_said(self, text: str) -> bool:
        assert self.process.poll() is None, "".join(self.said)
        return any(text in line for line in self.said)

    def interrupt(self) -> int:
        """Ctrl-C: the terminal sends SIGINT to the whole foreground group."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(60)


@contextmanager
def up(throughline: CommandLine, shop: SmallShop) -> Iterator[Up]:
    running = Up(throughline, shop)
    try:
        until(lambda: running.has_said("starting worker-0"), "up starts its worker")
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait(30)
        running.close()


def left_of(home: Path) -> list[str]:
    """Command lines of processes that still work in this home."""
    found = []
    for process in psutil.process_iter():
        try:
            command = " ".join(process.cmdline())
            if str(home) in command or process.environ().get("THROUGHLINE_HOME") == str(home):
                found.append(command)
        except psutil.Error:  # it has ended meanwhile, or is another user's
            continue
    return found


def test_up_drains_on_ctrl_c_leaves_nothing_behind_and_goes_on_where_it_was(tmp_path: Path) -> None:
    shop = small_shop(tmp_path / "shop")
    home = tmp_path / "home"
    addresses = {
        "home": home,
        "kafka": f"127.0.0.1:{free_port(neighbours=1)}",
        "clickhouse": f"127.0.0.1:{free_port()}",
        "metrics_port": free_port(),
    }
    throughline = CommandLine(tmp_path, addresses)
    settings = Settings(**addresses)  # type: ignore[arg-type]

    def send(*numbers: str) -> None:
        with SourceWriter(settings.kafka_client, settings.topology) as writer:
            for number in numbers:
                writer.send("sales", number.encode(), purchase(number))

    def known() -> list[str]:
        with closing(Warehouse.of(settings)) as warehouse:
            return [number for (number,) in warehouse.query("SELECT id FROM touchpoints FINAL ORDER BY id")]

    def promised() -> list[str]:
        return re.findall(r"made .* \(([0-9a-f]{8})\)", throughline("journey", "o-1").out)

    with up(throughline, shop) as first:
        send("o-1")
        until(lambda: known() == ["o-1"], "the first purchase is known")
        status = throughline("status", "--seconds", "0.2")
        assert status.code == 0
        for stage in ("ingest", "identity", "journey"):
            assert f"watermark of {stage}: 2" in status.out
        other = shop.map.with_name("sooner.yaml")
        other.write_text(shop.map.read_text("utf-8").replace("expected: 3d", "expected: 36h"), "utf-8")
        shadow = throughline("shadow", "--map", other, "--until", "2018-05-06")
        assert "limit: 3 d → 1 d 12 h" in shadow.out, shadow.said
        assert "customer_id=anna was never linked" in throughline("identity", "show", "customer_id=anna").out
        until(lambda: bool(promised()), "the promise is known")
        assert throughline("explain", promised()[0]).code == 0
        send("o-2")
        assert first.interrupt() == 0
    said = [line.strip() for line in first.said]
    assert f"Kafka {settings.kafka}   ClickHouse {settings.clickhouse}, database throughline" in said
    for earlier, later in [("starting Kafka", "starting worker-0"), ("draining 1 worker", "stopping Kafka")]:
        assert said.index(earlier) < said.index(later)
    assert not any(line.startswith("%") or "Traceback" in line for line in said)
    assert left_of(home) == []

    with up(throughline, shop) as second:
        send("o-3", "o-1")
        until(lambda: known() == ["o-1", "o-2", "o-3"], "all purchases are known")
        # one write fills one table after another, and the journeys' is not the first
        until(
            lambda: "3 touchpoints, 3 journeys" in throughline("journey", "o-2").out,
            "all journeys of the customer are shown",
        )
        assert second.interrupt() == 0
    assert left_of(home) == []
