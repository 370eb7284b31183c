"""
Cache of jar files that run together, such as Kafka's: fetched once from Maven Central, checked at each start.

A committed lock names every file with its SHA-256, so nothing is resolved at run time and a broken or
changed file is never run: it is deleted and fetched again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from bellbuoy.local.embedded.errors import DownloadError, MissingExtraError

__all__ = ["KAFKA", "Jar", "JarSet", "digest", "fetch"]

_PARALLEL_FETCHES = 4
_MAX_TRIES = 3


class Jar(msgspec.Struct, frozen=True):
    """One file of a lock; ``size`` in bytes."""

    group: str
    artifact: str
    version: str
    sha256: str
    size: int

    @property
    def file(self) -> str:
        """The file's name."""
        return f"{self.artifact}-{self.version}.jar"


@dataclass(frozen=True, slots=True)
class JarSet:
    """
    A set of jars that run together.

    ``name`` is its name in messages; ``lead`` is the artifact whose version is that of the whole set.
    """

    name: str
    lead: str
    lock: Path

    def locked(self) -> list[Jar]:
        """Return the lock, in class path order."""
        return msgspec.json.decode(self.lock.read_bytes(), type=list[Jar])

    @property
    def version(self) -> str:
        """The locked version."""
        return next(jar.version for jar in self.locked() if jar.artifact == self.lead)

    @property
    def cache_dir(self) -> Path:
        """The folder of the jars, shared by all data directories of this user."""
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return Path(base) / "bellbuoy" / self.lock.name.partition(".")[0] / self.version

    def classpath(self) -> str:
        """Return the class path of the complete set; raise DownloadError when it can't be completed."""
        folder, jars = self.cache_dir, self.locked()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            missing = [jar for jar in jars if not _good(folder / jar.file, jar)]
            if missing:
                _fetch_all(missing, len(jars), folder, f"{self.name} {self.version}")
        except OSError as error:
            raise DownloadError(
                f"{self.name}'s files can't be kept in {folder} ({error.strerror or error}): free some space "
                "there, or set XDG_CACHE_HOME to a directory that can be written"
            ) from error
        return os.pathsep.join(str(folder / jar.file) for jar in jars)


KAFKA = JarSet("Kafka", "kafka-server", Path(__file__).with_name("kafka.lock.json"))


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _good(path: Path, jar: Jar) -> bool:
    """Return whether the file is the locked one; delete it when it is not."""
    if not path.is_file():
        return False
    if path.stat().st_size == jar.size and digest(path) == jar.sha256:
        return True
    path.unlink()
    return False


def _fetch_all(missing: Sequence[Jar], total: int, folder: Path, name: str) -> None:
    have = total - len(missing)
    with _progress() as progress:
        bar = progress.add_task(name, total=sum(jar.size for jar in missing))
        if not progress.live.console.is_terminal:
            print(f"{name}: fetching {len(missing)} files, once", file=sys.stderr, flush=True)  # noqa: T201
        with ThreadPoolExecutor(_PARALLEL_FETCHES) as pool:
            waiting = {pool.submit(fetch, jar, folder, name): jar for jar in missing}
            try:
                for done, future in enumerate(as_completed(waiting), start=have + 1):
                    future.result()
                    progress.update(
                        bar, advance=waiting[future].size, description=f"{name}: {done} of {total} files"
                    )
                    if not progress.live.console.is_terminal and (done % 12 == 0 or done == total):
                        print(f"{name}: {done} of {total} files", file=sys.stderr, flush=True)  # noqa: T201
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def _progress() -> Progress:
    from rich.console import Console  # noqa: PLC0415

    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def fetch(jar: Jar, folder: Path, name: str) -> Path:
    """
    Fetch one file of the set *name*, check it, and only then move it to *folder*.

    Raises DownloadError after three tries, OSError when *folder* can't be written.
    """
    fault: Exception | None = None
    for attempt in range(_MAX_TRIES):
        if attempt:
            time.sleep(2.0**attempt)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as staging:
            try:
                fetched = resolve(jar.group, jar.artifact, jar.version, Path(staging))
            except MissingExtraError:
                raise
            except Exception as error:
                if isinstance(error, OSError) and error.errno is not None and error.filename:
                    raise
                fault = error
                continue
            if digest(fetched) != jar.sha256:
                fault = ValueError(f"{jar.file} is not the file the lock names")
                continue
            target = folder / jar.file
            shutil.move(fetched, target)
            return target
    raise DownloadError(
        f"{jar.file} of {name} can't be fetched from Maven Central "
        f"({type(fault).__name__}: {fault}): this is needed once; check the network and HTTPS_PROXY, "
        f"or copy {folder} from a machine that has it"
    ) from fault


def resolve(group: str, artifact: str, version: str, repository: Path) -> Path:
    """Fetch one jar into the Maven repository folder *repository* and return its path there."""
    try:
        from jgo.maven import MavenContext  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtraError("jgo") from None

    context = MavenContext(repo_cache=repository, timeout=60)
    return Path(context.project(group, artifact).at_version(version).artifact().resolve())
