"""Coverage-guided fuzzing with atheris: `python tests/fuzz/fuzz.py [--seconds 60] [TARGET …]`.

Each target runs in a process of its own, on the interpreted core: what is compiled shows no coverage. It begins with
the committed corpus; new inputs that reach more are kept in `.fuzz/TARGET/found`, a defect in `.fuzz/TARGET/crash-…`
(or `timeout-`, `oom-`). Exit code 1 if there was one. A defect is mended, and its input becomes a `found-…` file of
the corpus, which `make test` runs for ever.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
KEPT = ROOT / ".fuzz"
_LIMITS = ("-timeout=30", "-rss_limit_mb=4096", "-max_len=65536", "-print_final_stats=1", "-verbosity=1")
_PACKAGES = ["pipeline", "schemas"]


def main() -> int:
    options = _options()
    sys.path[:0] = [str(HERE), str(HERE.parent), str(ROOT)]
    if options.child:
        _fuzz(options.targets[0], options.seconds)
        return 0  # libFuzzer ends the process itself
    from targets import TARGETS

    if unknown := set(options.targets) - set(TARGETS):
        sys.exit(f"there is no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    return max([_in_a_process(name, options.seconds) for name in options.targets or TARGETS])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all by default")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _in_a_process(name: str, seconds: int) -> int:
    """Fuzz a target; print one line on it. 1 if a defect was found."""
    (KEPT / name / "found").mkdir(parents=True, exist_ok=True)
    log = KEPT / name / "log"
    with log.open("wb") as output:
        code = subprocess.run(
            [sys.executable, __file__, "--child", "--seconds", str(seconds), name],
            cwd=ROOT,
            env={**os.environ, "THROUGHLINE_INTERPRETED": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    said = log.read_text("utf-8", "replace")
    runs = re.search(r"number_of_executed_units:\s*(\d+)", said)
    coverage = re.findall(r"\bcov: (\d+)", said)
    print(
        f"{name}: {runs[1] if runs else 'no'} inputs, {coverage[-1] if coverage else 'no'} branches reached"
        + ("" if code == 0 else f"; DEFECT, see {log.relative_to(ROOT)} and what stands beside it"),
        flush=True,
    )
    return int(code != 0)


def _fuzz(name: str, seconds: int) -> None:
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is not here: it has wheels for Linux on x86-64, up to Python 3.13")
    import compiled_core  # noqa: F401 - before the core: it chooses the sources

    with atheris.instrument_imports(include=_PACKAGES):
        from targets import TARGETS

        target = TARGETS[name]
        target.prepare()

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        """Half of the mutations know the input's shape, half are libFuzzer's own."""
        random = Random(seed)
        changed: bytes = target.mutate(data, random) if random.random() < 0.5 else atheris.Mutate(data, most)
        return changed[:most]

    def run(data: bytes) -> None:
        target.check(data)

    arguments: list[Any] = [sys.argv[0], f"-max_total_time={seconds}", *_LIMITS]
    arguments += [f"-artifact_prefix={KEPT / name}/", str(KEPT / name / "found"), str(HERE / "corpus" / name)]
    atheris.Setup(arguments, run, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
