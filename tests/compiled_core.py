"""Which core the tests run: the compiled one if it was made of these sources, or the sources themselves.

With THROUGHLINE_INTERPRETED set the sources are imported although compiled modules lie beside them. Importing this
module chooses; so it has to come before anything that imports the core.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
_PACKAGE = "pipeline.core."


class _Sources(MetaPathFinder):
    """Finds the modules of the core as `.py`, whatever else is there."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not name.startswith(_PACKAGE) or not path:
            return None
        return spec_from_file_location(name, Path(path[0], f"{name.removeprefix(_PACKAGE)}.py"))


def _choose() -> None:
    """Ends the run if the compiled core is another than its sources."""
    if os.environ.get("THROUGHLINE_INTERPRETED"):
        sys.meta_path.insert(0, _Sources())
        return
    building = runpy.run_path(str(ROOT / "setup.py"), run_name="building")
    compiled_from = ROOT / building["COMPILED_FROM"]
    noted = compiled_from.read_text("utf-8") if compiled_from.exists() else ""
    if any(compiled_from.parent.glob("*.so")) and noted != building["digest"](ROOT):
        pytest.exit(
            "pipeline/core has changed since it was compiled: run `make setup` (or `make test-fast`)", 4
        )


def is_compiled() -> bool:
    """Whether this run tests the compiled core."""
    journey = find_spec("pipeline.core.journey")
    return journey is not None and not str(journey.origin).endswith(".py")


_choose()
