"""Which machine a figure came from."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def machine() -> str:
    """One line: processor, cores, memory, load, Python."""
    load = os.getloadavg()[0]
    return (
        f"{_field('/proc/cpuinfo', 'model name') or platform.processor()}, {os.cpu_count()} cores, "
        f"{int(_field('/proc/meminfo', 'MemTotal').split()[0]) / 1024**2:.0f} GiB, load {load:.1f} before, "
        f"Python {platform.python_version()}"
    )


def _field(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        if line.startswith(name):
            return line.split(":", 1)[1].strip()
    return ""
