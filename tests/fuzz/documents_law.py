"""The law of the files that people write: any bytes are the document, or problems with file, line and remedy."""

from __future__ import annotations

import atexit
import tempfile
from functools import cache
from pathlib import Path

from pipeline.core.plan import compile_plan, plan_from
from pipeline.documents import DocumentError
from pipeline.imports.mapping import MappingError, load_mapping
from pipeline.maps import MapError, load_map

_LONGEST_PROBLEM = 1500


@cache
def folder() -> Path:
    """A folder of this process, in memory where the machine has such a place."""
    memory = Path("/dev/shm")
    made = tempfile.TemporaryDirectory(prefix="fuzz-", dir=memory if memory.is_dir() else None)
    atexit.register(made.cleanup)
    return Path(made.name)


def check_map(data: bytes) -> str:
    path = folder() / "map.yaml"
    path.write_bytes(data)
    try:
        journey_map = load_map(path)
    except MapError as error:
        _is_told_well(error, path, data)
        return "refused"
    plan = compile_plan(journey_map)
    assert plan_from(plan.source).digest == plan.digest, "the map that is kept with the state is this one"
    return "taken"


def check_mapping(data: bytes) -> str:
    path = folder() / "mapping.yaml"
    path.write_bytes(data)
    try:
        loaded = load_mapping(path)
    except MappingError as error:
        _is_told_well(error, path, data)
        return "refused"
    assert set(loaded.content.domains()) or loaded.content.tables
    return "taken"


def _is_told_well(error: DocumentError, path: Path, data: bytes) -> None:
    # YAML counts more things for a line break than the newline
    lines = len(data.decode("utf-8-sig", "replace").splitlines()) + 1
    assert error.problems
    for problem in error.problems:
        assert problem.file == str(path)
        assert 1 <= problem.line <= lines, f"line {problem.line} of {lines}"
        assert problem.message
        assert "\n" not in str(problem), str(problem)[:200]
        assert len(str(problem)) <= _LONGEST_PROBLEM, f"{len(str(problem))} characters"
        str(problem).encode()
