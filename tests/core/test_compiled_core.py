"""The core is compiled, or not, and tests know which one they run: what setup.py lists is there, what must not be compiled
is not, and a core that was compiled from other sources is not tested in silence.
"""

from __future__ import annotations

import ast
import gc
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from compiled_core import ROOT, is_compiled

from pipeline.core.calendars import BusinessCalendar
from pipeline.core.person import new_person
from pipeline.core.promises import PromiseFold
from pipeline.core.rules import PromiseRule, StageRule
from pipeline.core.stalls import StageFold

BUILDING: dict[str, Any] = runpy.run_path(str(ROOT / "setup.py"), run_name="building")
OTHERS = {name: value for name, value in os.environ.items() if not name.startswith("THROUGHLINE_")}
STALE = "pipeline/core has changed since it was compiled: run `make setup`"


def run_in(folder: Path, command: Sequence[object], **settings: str) -> subprocess.CompletedProcess[str]:
    """The command, with no settings but these."""
    return subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env={**OTHERS, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Checkout:
    """The least that setup.py and compiled_core need: a core of one module, as if it were compiled, and one test."""

    def __init__(self, root: Path) -> None:
        self.root, self.core = root, root / "pipeline" / "core"
        self.core.mkdir(parents=True)
        (root / "tests").mkdir()
        shutil.copy(ROOT / "setup.py", root)
        shutil.copy(ROOT / "tests" / "compiled_core.py", root / "tests")
        (root / "tests" / "conftest.py").write_text("import compiled_core\n", "utf-8")
        (root / "tests" / "test_it.py").write_text("def test_it() -> None: ...\n", "utf-8")
        (self.core / "clock.py").write_text("TICKS = 1\n", "utf-8")
        (self.core.parent / "ports.py").write_text("NUMBER = 1\n", "utf-8")
        (self.core / "clock.cpython.so").touch()
        self.note()

    def note(self) -> None:
        """Do as a build does when it has compiled what is there."""
        (self.core / ".compiled").write_text(BUILDING["digest"](self.root), "utf-8")

    def test(self, **settings: str) -> tuple[int, str]:
        """The exit code of a run of its test, and what was said."""
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
        done = run_in(self.root, command, **settings)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_a_core_that_was_compiled_from_these_sources_is_tested(checkout: Checkout) -> None:
    code, said = checkout.test()
    assert (code, "1 passed" in said) == (0, True), said


def test_a_core_that_was_compiled_from_other_sources_ends_the_run_with_the_remedy(checkout: Checkout) -> None:
    (checkout.core / "clock.py").write_text("TICKS = 2\n", "utf-8")
    code, said = checkout.test()
    assert (code, STALE in said, "passed" in said) == (4, True, False), said
    checkout.note()
    assert checkout.test()[0] == 0


def test_a_type_that_went_into_the_compiled_core_is_one_of_its_sources(checkout: Checkout) -> None:
    (checkout.core.parent / "ports.py").write_text("NUMBER = 2\n", "utf-8")
    assert checkout.test()[0] == 4


def test_a_module_that_came_or_went_makes_other_sources_of_them(checkout: Checkout) -> None:
    (checkout.core / "clock.py").rename(checkout.core / "watch.py")
    assert checkout.test()[0] == 4


def test_a_compiled_core_of_which_nobody_knows_the_sources_ends_the_run(checkout: Checkout) -> None:
    """A build that was broken off leaves modules without a note."""
    (checkout.core / ".compiled").unlink()
    code, said = checkout.test()
    assert (code, STALE in said) == (4, True), said


def test_a_note_of_modules_that_are_not_there_any_more_does_no_harm(checkout: Checkout) -> None:
    (checkout.core / "clock.cpython.so").unlink()
    (checkout.core / "clock.py").write_text("TICKS = 2\n", "utf-8")
    assert checkout.test()[0] == 0


def test_the_sources_themselves_are_tested_whatever_was_compiled(checkout: Checkout) -> None:
    (checkout.core / "clock.py").write_text("TICKS = 2\n", "utf-8")
    assert checkout.test(THROUGHLINE_INTERPRETED="1")[0] == 0


def test_what_setup_says_is_not_compiled_exists() -> None:
    """A name that was left behind would hide that a new module of that name is not compiled."""
    core = {path.name for path in (ROOT / BUILDING["CORE"]).glob("*.py")}
    assert set(BUILDING["_INTERPRETED"]) <= core
    assert core - set(BUILDING["_INTERPRETED"]) == {path.name for path in BUILDING["compiled_sources"](ROOT)}


@pytest.mark.skipif(not is_compiled(), reason="the core is interpreted")
def test_every_module_that_is_to_be_compiled_is_and_no_other() -> None:
    built = {path.name.partition(".")[0] for path in (ROOT / BUILDING["CORE"]).glob("*.so")}
    assert built == {path.stem for path in BUILDING["compiled_sources"](ROOT)}


def made_by_metaclasses(source: Path) -> Iterator[str]:
    """Classes with keywords, which mypyc leaves out without a word, or of a base that makes them while Python runs."""
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.ClassDef):
            bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
            if node.keywords or bases & {"Struct", "BaseModel", "Contract"}:
                yield f"{source.name}: {node.name}"


def test_no_compiled_module_has_a_class_whose_keywords_would_be_lost() -> None:
    sources = [ROOT / path for path in BUILDING["compiled_sources"](ROOT)]
    assert [found for source in sources for found in made_by_metaclasses(source)] == []


def heirs(source: str) -> list[str]:
    """Dataclasses with a base that are not said to be acyclic. mypyc makes classes of them that show the garbage collector
    what they inherit twice. It then counts a reference too many, and clears what is in use: a calendar was empty when it was
    asked next.
    """
    return [
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ClassDef)
        and node.bases
        and is_heir(set(map(ast.unparse, node.decorator_list)))
    ]


def is_heir(decorators: set[str]) -> bool:
    is_dataclass = any(decorator.partition("(")[0] == "dataclass" for decorator in decorators)
    return is_dataclass and "mypyc_attr(acyclic=True)" not in decorators


def test_no_compiled_dataclass_has_a_base_unless_it_is_acyclic() -> None:
    sources = {path: (ROOT / path).read_text("utf-8") for path in BUILDING["compiled_sources"](ROOT)}
    assert {path: found for path, source in sources.items() if (found := heirs(source))} == {}
    rules = sources[Path(BUILDING["CORE"], "rules.py")]
    assert "PromiseRule" in heirs(rules.replace("@mypyc_attr(acyclic=True)\n", "")), "it sees none"


def test_the_garbage_collector_is_shown_a_rules_calendar_once_at_most() -> None:
    calendar = BusinessCalendar("office", [(0, 0)], [(0, 1)])
    for kind in (PromiseRule, StageRule):
        rule = kind("r", "r", "somebody", "warning", calendar)
        assert [each for each in gc.get_referents(rule) if each is calendar] in ([], [calendar])


@pytest.mark.skipif(not is_compiled(), reason="the core is interpreted")
def test_what_a_person_is_made_of_is_not_looked_through_for_garbage() -> None:
    """None of it can refer to itself."""
    person = new_person("c8722a00-0000-8000-8000-000000000000")
    assert not any(map(gc.is_tracked, (person, person.trail, person.trail.tail, PromiseFold(), StageFold())))


def test_a_struct_is_seen_as_one_that_must_not_be_compiled() -> None:
    assert "messages.py: Touchpoint" in set(made_by_metaclasses(ROOT / BUILDING["CORE"] / "messages.py"))


@pytest.mark.skipif(
    bool(os.environ.get("THROUGHLINE_INTERPRETED")), reason="another process imports what was compiled"
)
def test_throughline_started_outside_of_the_checkout_finds_its_core(tmp_path: Path) -> None:
    """The compiled modules share a library at the top of the checkout, which only an installation makes findable."""
    throughline = Path(sys.executable).with_name("throughline")
    done = run_in(tmp_path, [throughline, "validate", ROOT / "examples" / "company" / "map.yaml"])
    assert (done.returncode, done.stderr) == (0, "")
    asking = "import pipeline.core.journey as core; print(core.__file__)"
    asked = run_in(tmp_path, [sys.executable, "-c", asking])
    assert (asked.stderr, asked.stdout.strip().endswith(".so")) == ("", is_compiled())
