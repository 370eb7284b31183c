"""
Segment's own libraries as programs of a test: for Java, Python, Node, Go and browsers.

What they need comes from Maven Central, npm and Go's module proxy at locked versions, once; Java, Node
and Go themselves are packages of the tests' environment. ``python -m tests.support.genuine_clients``
resolves the jars and writes their lock anew.
"""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

import go

from bellbuoy.local.embedded.jars import JarSet
from bellbuoy.local.embedded.lock import resolved, write
from bench.engines import java
from tests.support.chromium import ARGUMENTS, chromium
from tests.support.node_packages import NODE, cached_folder, node_packages

_CLIENTS = Path(__file__).parents[1] / "integration/gateway/clients"
_GO = Path(go.__file__).parent / "bin/go"
_JARS = JarSet("Segment's library for Java", "analytics", _CLIENTS / "java/segment.lock.json")

Command = list[str | Path]


def java_client(host: str, count: int, pause_ms: int) -> Command:
    """Return the command that sends so many numbered tracks from Java, with a pause after each."""
    return [*java.command(_JARS, _CLIENTS / "java", "SendTracks", []), host, str(count), str(pause_ms)]


def python_client(host: str, count: int, pause_ms: int) -> Command:
    """Return the command that sends so many numbered tracks from Python, with a pause after each."""
    return [sys.executable, _CLIENTS / "python/send_tracks.py", host, str(count), str(pause_ms)]


def node_client(host: str, count: int, pause_ms: int) -> Command:
    """Return the command that sends so many numbered tracks from Node, with a pause after each."""
    return [NODE, node_packages() / "send_tracks.mjs", host, str(count), str(pause_ms)]


def go_client(host: str, count: int, pause_ms: int) -> Command:
    """Return the command that sends so many numbered tracks from Go, with a pause after each."""
    return [_go_program(), host, str(count), str(pause_ms)]


@contextmanager
def browser_client(
    host: str, count: int, pause_ms: int, strategy: str, profile: Path
) -> Iterator[tuple[Command, dict[str, str]]]:
    """
    Yield the command, and its environment, that opens a page in Chromium which sends so many numbered tracks.

    The page comes from an origin of its own. ``strategy`` is how the library delivers: standard or batching.
    """
    program, env = chromium()
    asked = urlencode({"gateway": host, "count": count, "pause": pause_ms, "strategy": strategy})
    with _page_server(node_packages()) as pages:
        yield (
            [
                program,
                *ARGUMENTS,
                "--remote-debugging-port=0",
                f"--user-data-dir={profile}",
                f"{pages}/?{asked}",
            ],
            env,
        )


@cache
def _go_program() -> Path:
    """Return the compiled program; compile it once."""
    source = _CLIENTS / "go"
    program = cached_folder(*sorted(source.iterdir())) / "send_tracks"
    if not program.exists():
        env = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
        command: Command = [_GO, "build", "-trimpath", "-o", program.with_suffix(".new"), "."]
        ended = subprocess.run(command, check=False, cwd=source, env=env, capture_output=True, text=True)
        assert ended.returncode == 0, f"go build failed in {source}:\n{ended.stdout}{ended.stderr}"
        program.with_suffix(".new").rename(program)
    return program


@contextmanager
def _page_server(packages: Path) -> Iterator[str]:
    library = packages / "node_modules/@segment/analytics-next/dist/umd"

    class Pages(http.server.SimpleHTTPRequestHandler):
        def translate_path(self, path: str) -> str:
            name = path.partition("?")[0]
            return str(
                library / name.removeprefix("/sdk/") if name.startswith("/sdk/") else packages / "page.html"
            )

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


if __name__ == "__main__":
    write(_JARS, resolved("com.segment.analytics.java:analytics:3.5.4+org.eclipse.jdt:ecj:3.46.100"))
