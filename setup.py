"""Compiles the pure core with mypyc where there is a C compiler; elsewhere the same modules run interpreted.

Everything else about the project is in pyproject.toml.
"""

from __future__ import annotations

import os
import shutil
import sysconfig
from hashlib import blake2b
from pathlib import Path
from typing import Any

from setuptools import setup
from setuptools.command.build_ext import build_ext

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
    "budget.py",
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
    for path in _read_by_the_compiler(root):
        content.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return content.hexdigest()


def _read_by_the_compiler(root: Path) -> list[Path]:
    """What is compiled, and the modules whose types went into it."""
    return sorted(
        [*(root / CORE).glob("*.py"), root / "pipeline" / "ports.py", *(root / "schemas").rglob("*.py")]
    )


def _can_compile() -> bool:
    """Whether there is a C compiler, and Python's headers for it."""
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    return bool(shutil.which(compiler)) and Path(sysconfig.get_path("include"), "Python.h").exists()


def _extensions() -> list[Any]:
    if os.environ.get("THROUGHLINE_INTERPRETED") or not _can_compile():
        return []
    from mypyc.build import mypycify  # noqa: PLC0415 - it need not be there where nothing is compiled

    names = [str(path) for path in compiled_sources()]
    extensions: list[Any] = mypycify(names, opt_level="3", group_name="throughline_core")
    return extensions


class _BuildCore(build_ext):
    """Notes what was compiled when the modules lie beside their sources."""

    def run(self) -> None:
        super().run()
        if self.extensions and (self.inplace or self.editable_mode):
            COMPILED_FROM.write_text(digest(), "utf-8")


if __name__ == "__main__":
    setup(ext_modules=_extensions(), cmdclass={"build_ext": _BuildCore})
