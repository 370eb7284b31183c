from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest

from bellbuoy.local.embedded import jars
from bellbuoy.local.embedded.errors import DownloadError
from bellbuoy.local.embedded.jars import KAFKA, Jar, JarSet

CONTENT = b"a jar"
JAR = Jar("org.example", "thing", "1.0", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


@pytest.fixture
def things(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> JarSet:
    """A set of one jar, with an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lock = tmp_path / "things.lock.json"
    lock.write_bytes(msgspec.json.encode([JAR]))
    return JarSet("Things", "thing", lock)


@pytest.fixture
def central(monkeypatch: pytest.MonkeyPatch) -> list[bytes | Exception]:
    """Stands in for Maven Central: this run has no network. Each fetch takes the next of ``answers``."""
    answers: list[bytes | Exception] = []

    def resolve(group: str, artifact: str, version: str, repository: Path) -> Path:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        path = repository / "thing.jar"
        path.write_bytes(answer)
        return path

    monkeypatch.setattr(jars, "resolve", resolve)
    monkeypatch.setattr(jars.time, "sleep", lambda _: None)
    return answers


def test_the_lock_pins_every_file() -> None:
    locked = KAFKA.locked()

    assert len(locked) > 40
    assert len({jar.file for jar in locked}) == len(locked)
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in locked)
    assert KAFKA.version == "4.4.0"


def test_a_complete_cache_needs_no_network(central: list, things: JarSet) -> None:
    things.cache_dir.mkdir(parents=True)
    (things.cache_dir / JAR.file).write_bytes(CONTENT)

    assert things.classpath() == str(things.cache_dir / JAR.file)


@pytest.mark.parametrize("broken", [b"", b"a ja", b"b jar"])
def test_a_broken_file_is_fetched_again(central: list, things: JarSet, broken: bytes) -> None:
    things.cache_dir.mkdir(parents=True)
    (things.cache_dir / JAR.file).write_bytes(broken)
    central.append(CONTENT)

    things.classpath()

    assert (things.cache_dir / JAR.file).read_bytes() == CONTENT
    assert [path.name for path in things.cache_dir.iterdir()] == [JAR.file]


def test_a_fetch_is_tried_again_after_a_fault(central: list, things: JarSet) -> None:
    central += [ConnectionError("reset"), b"half", CONTENT]

    things.classpath()

    assert (things.cache_dir / JAR.file).read_bytes() == CONTENT


def test_an_unreachable_maven_central_is_said_with_the_fix(central: list, things: JarSet) -> None:
    central += [ConnectionError("no route")] * 3

    with pytest.raises(
        DownloadError, match=r"thing-1.0.jar of Things 1.0 .*Maven Central .*route.*HTTPS_PROXY"
    ):
        things.classpath()

    assert list(things.cache_dir.iterdir()) == []


def test_an_unwritable_cache_is_said_with_the_fix(central: list, things: JarSet, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")

    with pytest.raises(DownloadError, match=r"Things's files can't be kept in .*XDG_CACHE_HOME"):
        things.classpath()
