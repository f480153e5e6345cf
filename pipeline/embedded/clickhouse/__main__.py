"""The server: `python -m pipeline.embedded.clickhouse --port P --data DIR`, until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
import time
from pathlib import Path

from pipeline.embedded.errors import EmbeddedError
from pipeline.embedded.folder import FolderLock
from pipeline.embedded.ports import LOOPBACK, require_free


def main() -> int:
    options = _options()
    os.environ["TZ"] = "UTC"
    time.tzset()  # before the engine is loaded: it takes the machine's zone for the server's
    logging.basicConfig(level=logging.INFO, format="%(asctime)sZ %(levelname)s %(message)s")
    lock = FolderLock(options.data)
    try:
        lock.acquire("ClickHouse")
        require_free(options.port, "ClickHouse", "THROUGHLINE_CLICKHOUSE")
    except EmbeddedError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command's answer
        return error.exit_code
    _serve(options.data, options.port)
    lock.release()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pipeline.embedded.clickhouse", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="where to listen, on loopback")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds everything")
    return parser.parse_args()


def _serve(folder: Path, port: int) -> None:
    # these load half a gigabyte, which a refused start need not wait for
    from pipeline.embedded.clickhouse.engine import Engine  # noqa: PLC0415
    from pipeline.embedded.clickhouse.server import Server  # noqa: PLC0415

    engine = Engine(folder)
    listener = socket.create_server((LOOPBACK, port), backlog=128)
    server = Server(engine, listener)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    logging.info("ClickHouse %s listens on %s:%d", ".".join(map(str, engine.version)), LOOPBACK, port)
    server.serve()
    engine.close()
    logging.info("ClickHouse has ended")


if __name__ == "__main__":
    sys.exit(main())
