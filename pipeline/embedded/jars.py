"""Kafka's jars: the lock file's coordinates in, verified files on disk out.

`kafka-jars.lock` names every jar that the broker needs, with its SHA-256. A jar is used only if its bytes
have that digest, downloaded just now or a year ago. With all of them cached no network is needed.

`python -m pipeline.embedded.jars` resolves the dependencies anew and rewrites the lock file: that is how the
version of Kafka is changed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pipeline.embedded.errors import JarMismatchError, JarsUnavailableError

KAFKA = "org.apache.kafka:kafka_2.13:4.1.2"
LOGGING = ("org.apache.logging.log4j:log4j-core", "org.apache.logging.log4j:log4j-slf4j-impl")
LOCK = Path(__file__).with_name("kafka-jars.lock")


class Jar(NamedTuple):
    """One line of the lock file."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


Fetch = Callable[[Jar, Path], Path]
"""(jar, scratch folder) → the downloaded file, somewhere below that folder."""


def default_cache() -> Path:
    """The user's cache folder for Throughline, where the platform keeps such things."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "throughline"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "throughline"


def read_lock(lock: Path = LOCK) -> list[Jar]:
    lines = (line.split() for line in lock.read_text("utf-8").splitlines() if not line.startswith("#"))
    return [_jar(coordinate, sha256) for coordinate, sha256 in lines]


def _jar(coordinate: str, sha256: str) -> Jar:
    group, artifact, version = coordinate.split(":")
    return Jar(group, artifact, version, sha256)


def ensure(cache: Path, lock: Path = LOCK, fetch: Fetch | None = None) -> list[Path]:
    """The jars of `lock`, in its order, below `cache`; what is missing or damaged there is downloaded.

    Raises JarMismatchError and JarsUnavailableError. Safe to call from several processes at once.
    """
    folder = cache / "kafka"
    folder.mkdir(parents=True, exist_ok=True)
    jars = read_lock(lock)
    with _alone(folder), ThreadPoolExecutor(4) as pool:
        missing = [jar for jar in jars if not _is_sound(folder / jar.file, jar.sha256)]
        for _ in pool.map(lambda jar: _download(jar, folder, fetch or _fetch_with_jgo), missing):
            pass
    return [folder / jar.file for jar in jars]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _is_sound(file: Path, sha256: str) -> bool:
    return file.exists() and _sha256(file) == sha256


def _download(jar: Jar, folder: Path, fetch: Fetch) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        try:
            fetched = fetch(jar, Path(scratch))
        except Exception as error:
            raise JarsUnavailableError(
                f"Kafka's {jar.file} is not in {folder} and could not be downloaded from Maven Central "
                f"({_short(error)}); connect once, or copy the folder from a machine that has it."
            ) from error
        found = _sha256(fetched)
        if found != jar.sha256:
            raise JarMismatchError(
                f"{jar.file} as downloaded has SHA-256 {found}, but {LOCK.name} wants {jar.sha256}; "
                "do not use it: look for a proxy or mirror that changes files, then try again."
            )
        fetched.replace(folder / jar.file)


def _short(error: Exception) -> str:
    """An error's kind and first words: registries' addresses are long and say little."""
    return (
        f"{type(error).__name__}: {str(error).splitlines()[0][:120]}" if str(error) else type(error).__name__
    )


def _fetch_with_jgo(jar: Jar, scratch: Path) -> Path:
    from jgo.config import GlobalSettings  # noqa: PLC0415 - takes 0.3 s, and only a first start needs it
    from jgo.maven import MavenContext  # noqa: PLC0415

    mirrors = GlobalSettings.load().repositories or None
    context = MavenContext(repo_cache=scratch, remote_repos=mirrors)
    found: Path = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
    return found


def relock(lock: Path = LOCK) -> int:
    """Resolves Kafka's dependencies from the registry and writes `lock`. Returns the number of jars."""
    import jgo  # noqa: PLC0415 - takes 0.3 s, and a broker's start never needs it

    found = {f"{jar.groupId}:{jar.artifactId}": jar.version for jar in jgo.resolve(KAFKA)}
    core, binding = LOGGING
    found |= {
        f"{jar.groupId}:{jar.artifactId}": jar.version for jar in jgo.resolve(f"{binding}:{found[core]}")
    }
    lines = [f"# {KAFKA} and all that it needs at run time: coordinate and SHA-256."]
    with tempfile.TemporaryDirectory() as scratch:
        for coordinate in sorted(f"{name}:{version}" for name, version in found.items()):
            file = _fetch_with_jgo(_jar(coordinate, ""), Path(scratch))
            lines.append(f"{coordinate} {_sha256(file)}")
    lock.write_text("\n".join(lines) + "\n", "utf-8")
    return len(lines) - 1


if __name__ == "__main__":
    print(f"{relock()} jars are in {LOCK}")  # noqa: T201 - a command's answer
