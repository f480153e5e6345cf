"""Compiles the pure core with mypyc where there is a C compiler; elsewhere the same modules run interpreted.

Everything else about the project is in pyproject.toml.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from hashlib import blake2b
from pathlib import Path
from typing import Any

from setuptools import setup

CORE = Path("pipeline", "core")
COMPILED_FROM = CORE / ".compiled"
"""The digest of the sources that were compiled: tests refuse to run on another core than they read."""
_INTERPRETED = {
    # msgspec and pydantic make classes and validators while Python runs
    "__init__.py",
    "binary.py",
    "dead_letters.py",
    "messages.py",
    "outputs.py",
    "stored.py",
    "validation.py",
    # nothing of these is on the way of an event
    "ports.py",
    "run.py",
    "summary.py",
}


def compiled_sources(root: Path = Path()) -> list[Path]:
    """The modules that are compiled, relative to the checkout at `root`."""
    found = sorted((root / CORE).glob("*.py"))
    return [path.relative_to(root) for path in found if path.name not in _INTERPRETED]


def digest(root: Path = Path()) -> str:
    """What `COMPILED_FROM` holds if the compiled modules are those of `root`."""
    content = blake2b(digest_size=16)
    for path in compiled_sources(root):
        content.update(f"{path.name}\0".encode() + (root / path).read_bytes())
    return content.hexdigest()


def _missing() -> str | None:
    """What compiling wants and is not here."""
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    header = Path(sysconfig.get_path("include"), "Python.h")
    if not shutil.which(compiler):
        return f"the C compiler {compiler}"
    return None if header.exists() else str(header)


def _extensions() -> list[Any]:
    if os.environ.get("THROUGHLINE_INTERPRETED"):
        return []
    if missing := _missing():
        print(f"pipeline.core is not compiled and will be slower: {missing} is not here", file=sys.stderr)
        return []
    from mypyc.build import mypycify  # noqa: PLC0415 - it need not be there where nothing is compiled

    names = [str(path) for path in compiled_sources()]
    extensions: list[Any] = mypycify(names, opt_level="3", group_name="throughline_core")
    if "--inplace" in sys.argv:
        COMPILED_FROM.write_text(digest(), "utf-8")
    return extensions


if __name__ == "__main__":
    setup(ext_modules=_extensions())
