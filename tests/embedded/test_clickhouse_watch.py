"""The watcher interrupts a query whose client speaks or leaves, and no other."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Iterator

import pytest

from pipeline.embedded.clickhouse.watch import Watcher


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    running = Watcher()
    yield running
    running.stop()


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The client's end and the server's."""
    client, server = socket.socketpair()
    with client, server:
        yield client, server


@pytest.mark.parametrize("leaves", [False, True])
def test_a_client_that_speaks_or_leaves_interrupts_its_query(
    watcher: Watcher, ends: tuple[socket.socket, socket.socket], leaves: bool
) -> None:
    client, server = ends
    interrupted = threading.Event()

    with watcher.over(server, interrupted.set):
        if leaves:
            client.shutdown(socket.SHUT_RDWR)
        else:
            client.send(b"!")
        assert interrupted.wait(10)


def test_an_event_of_the_bytes_that_asked_for_a_query_does_not_interrupt_it(
    watcher: Watcher, ends: tuple[socket.socket, socket.socket]
) -> None:
    _, server = ends
    interrupted: list[str] = []

    def nobody_spoke() -> None:
        interrupted.append("the second query")

    with watcher.over(server, nobody_spoke):
        # the event came for the query before, and is looked up only now that this one is registered
        stale = selectors.SelectorKey(server, server.fileno(), selectors.EVENT_READ, nobody_spoke)
        watcher._note(stale)
        watcher._wake.send(b"!")

    assert interrupted == []
    assert watcher._spoken == {}
