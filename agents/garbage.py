"""Python's garbage collection in a worker: off, but for a full one now and then.

A worker keeps millions of objects that live long, and nearly everything else dies by its reference count. Looking for
cycles whenever enough has been made cost a tenth of the worker's time, to find a dozen objects a second, which aiokafka
leaves behind. So cycles are looked for every ten minutes.
"""

from __future__ import annotations

import gc
import threading

SECONDS = 600.0


def relax() -> None:
    """Once, when everything is imported and before work begins."""
    gc.collect()
    gc.freeze()
    gc.disable()
    _collect_later()


def _collect_later() -> None:
    timer = threading.Timer(SECONDS, _collect)
    timer.daemon = True
    timer.start()


def _collect() -> None:
    gc.collect()
    _collect_later()
