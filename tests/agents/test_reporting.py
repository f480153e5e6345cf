"""A worker's log: one JSON object a line, whoever speaks, and never a value of a record."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import Any

import pytest

SECRET = "anna.muster@example.com"
TOLD = {
    "our own line about a partition": (
        "logging.getLogger('pipeline.engine').warning('%d left', 3, extra=where('journey', 't', 2))",
        {
            "event": "3 left",
            "level": "warning",
            "logger": "pipeline.engine",
            "stage": "journey",
            "partition": 2,
        },
    ),
    "structlog's": (
        "structlog.get_logger('agents').info('started', topic='t')",
        {"event": "started", "level": "info", "logger": "agents", "topic": "t"},
    ),
    "aiokafka's": (
        "logging.getLogger('aiokafka.consumer').error('Heartbeat failed: %s', 'retriable')",
        {"event": "Heartbeat failed: retriable", "level": "error", "logger": "aiokafka.consumer"},
    ),
}
QUOTING = {
    "an error that is logged with its traceback": "log.error('x failed', exc_info=raised())",
    "an error that is logged as it is handled": "try: fail()\nexcept KeyError: log.exception('x failed')",
    "an error among a library's arguments": "log.error('crashed reason=%r', raised())",
    "an error that caused another": "log.error('x failed', exc_info=raised(OSError(5, 'disk')))",
    "a task that nobody waited for": (
        "async def main():\n    task = asyncio.ensure_future(lost()); await asyncio.sleep(0.01); del task; gc.collect()\n"
        "async def lost(): fail()\nasyncio.run(main())"
    ),
    "an error that ends a thread": "thread = threading.Thread(target=fail); thread.start(); thread.join()",
    "an error that ends the process": "fail()",
    "an error of ours that quotes what it was given": "log.error('x failed: %s', told(BadDataError(SECRET)))",
}
PROLOGUE = f"""
import asyncio, gc, logging, threading
import structlog
from agents import reporting
from pipeline.engine.telling import told, where
from pipeline.warehouse.client import BadDataError
SECRET = {SECRET!r}
def fail(): raise KeyError(SECRET)
def raised(instead=None):
    try:
        try: fail()
        except KeyError as error:
            if instead: raise instead from error
            raise
    except Exception as error: return error
log = logging.getLogger("pipeline.engine")
reporting.configure()
"""


def logged(code: str) -> str:
    command = [sys.executable, "-c", PROLOGUE + code]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60).stderr


@pytest.mark.parametrize(("code", "expected"), TOLD.values(), ids=TOLD)
def test_every_line_is_a_json_object_with_the_same_fields(code: str, expected: dict[str, Any]) -> None:
    (line,) = logged(code).splitlines()
    said = json.loads(line)
    assert expected.items() <= said.items()
    assert said["time"].endswith("Z")


@pytest.mark.parametrize("code", QUOTING.values(), ids=QUOTING)
def test_what_an_error_quotes_is_not_told_but_where_it_came_from_is(code: str) -> None:
    said = logged(code)
    assert said
    assert SECRET not in said
    for line in said.splitlines():
        assert json.loads(line)["level"] in ("error", "critical")
    assert "KeyError" in said or "BadDataError" in said


def test_what_every_client_of_librdkafka_says_is_told_once_in_a_while() -> None:
    said = logged(
        "rdkafka = logging.getLogger('librdkafka')\n"
        "for number in range(9): rdkafka.error('FAIL [rdkafka#producer-%d] [thrd:b]: b: Connection refused', number)\n"
        "rdkafka.error('FAIL [rdkafka#producer-1] [thrd:b]: b: Disconnected')"
    )
    assert [json.loads(line)["event"].rpartition(": ")[2] for line in said.splitlines()] == [
        "Connection refused",
        "Disconnected",
    ]


def test_what_a_consumer_says_again_and_again_while_its_broker_is_away_is_told_once_in_a_while() -> None:
    said = logged(
        "consumer = logging.getLogger('aiokafka.consumer.group_coordinator')\n"
        "for _ in range(9): consumer.error('Heartbeat failed for group %s', 'throughline')\n"
        "for _ in range(2): log.error('ours is told each time')"
    )
    told = [json.loads(line)["event"] for line in said.splitlines()]
    assert told == ["Heartbeat failed for group throughline", *["ours is told each time"] * 2]


def test_on_a_terminal_it_is_text() -> None:
    ours, theirs = pty.openpty()
    code = PROLOGUE + "log.warning('%d left', 3); log.error('x failed', exc_info=raised())"
    done = subprocess.run([sys.executable, "-c", code], check=True, stderr=theirs, timeout=60)
    os.close(theirs)
    said = os.read(ours, 65536).decode()
    os.close(ours)
    assert done.returncode == 0
    assert "3 left" in said
    assert not said.lstrip().startswith("{")
    assert "KeyError at <string>" in said
    assert SECRET not in said
