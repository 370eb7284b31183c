"""`bellbuoy up` as an operator meets it: a real command, real servers, real roles."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from tests.support.kernel_processes import alive, children
from tests.support.waiting import until

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(900)]

FREE = {
    "BELLBUOY_KAFKA__BOOTSTRAP": "127.0.0.1:0",
    "BELLBUOY_REDIS__URL": "redis://127.0.0.1:0/0",
    "BELLBUOY_GATEWAY__PORT": "0",
    "BELLBUOY_JOURNAL__METRICS_PORT": "0",
    "BELLBUOY_WORKER__METRICS_PORT": "0",
    "BELLBUOY_DELIVERY__METRICS_PORT": "0",
    "BELLBUOY_CONSOLE__PORT": "0",
    "BELLBUOY_POSTGRES": "false",
}


class Up:
    """A running `bellbuoy up`; what it prints arrives in ``output``."""

    def __init__(self, data: Path, **env: str) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BELLBUOY_")}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "bellbuoy", "up", "--data", data],
            env={**clean, **FREE, **env},
            cwd=data.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.data = data
        self.output = ""
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def until(self, text: str, seconds: float = 300.0) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.output:
            line = self._lines.get(timeout=max(deadline - time.monotonic(), 0.01))
            assert line is not None, f"it ended before {text!r}:\n{self.output}\n{self.logs()}"
            self.output += line

    def ended(self, seconds: float = 180.0) -> int:
        code = self.process.wait(seconds)
        while (line := self._lines.get(timeout=60.0)) is not None:
            self.output += line
        return code

    def address(self, what: str) -> str:
        (found,) = re.findall(rf"^  {what} +(\S+)$", self.output, re.MULTILINE)
        return found

    def pid(self, role: str) -> int | None:
        for child in children(self.process.pid):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{child}/cmdline").read_bytes().rstrip(b"\0").endswith(f"\0{role}".encode()):
                    return child
        return None

    def logs(self) -> str:
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-1500:]}"
            for path in (self.data / "logs").glob("*")
        )


@pytest.fixture
def up(tmp_path: Path) -> Iterator[type[Up] | object]:
    started: list[Up] = []

    def start(data: Path = tmp_path / "data", **env: str) -> Up:
        started.append(Up(data, **env))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()  # its children end with it
        one.process.wait()
        assert one.process.stdout is not None
        one.process.stdout.close()


def test_a_signal_leaves_no_process_and_a_restart_keeps_the_data(up) -> None:
    first = up()
    first.until("Ctrl-C stops it")
    redis.Redis.from_url(first.address("Redis")).set("kept", "yes")
    family = children(first.process.pid)
    assert len(family) == 7

    first.process.send_signal(signal.SIGTERM)
    assert first.ended() == 0
    assert not [pid for pid in family if alive(pid)]
    assert "Stopped." in first.output

    other = up(BELLBUOY_KAFKA__PARTITIONS="8")
    assert other.ended(60) == 2
    assert "has 4 partitions, not 8" in other.output
    assert "set kafka.partitions to 4" in other.output

    second = up()
    second.until("Ctrl-C stops it")
    assert "topics created" not in second.output
    assert redis.Redis.from_url(second.address("Redis"), decode_responses=True).get("kept") == "yes"
    second.process.send_signal(signal.SIGINT)
    assert second.ended() == 0


def test_a_killed_role_comes_back_and_a_killed_up_takes_everything_along(up) -> None:
    one = up()
    one.until("Ctrl-C stops it")
    before = one.pid("gateway")
    assert before is not None
    os.kill(before, signal.SIGKILL)
    one.until(f"gateway (process {before}) died and was started again")
    until(lambda: one.pid("gateway") not in (None, before))

    other = up()
    assert other.ended() == 1
    assert f"another Bellbuoy (process {one.process.pid}) runs in" in other.output
    assert "BELLBUOY_DATA" in other.output

    until(lambda: len(children(one.process.pid)) == 7)
    family = children(one.process.pid)
    one.process.kill()
    until(lambda: not [pid for pid in family if alive(pid)])


@pytest.mark.parametrize("server", ["kafka", "redis"])
def test_a_lost_server_stops_everything(up, server: str) -> None:
    one = up()
    one.until("Ctrl-C stops it")
    family = children(one.process.pid)
    program = {"kafka": b"kafka.Kafka", "redis": b"valkey-server"}[server]
    (pid,) = [child for child in family if program in Path(f"/proc/{child}/cmdline").read_bytes()]
    os.kill(pid, signal.SIGKILL)

    assert one.ended() == 1
    assert f"bellbuoy: {server} was ended by SIGKILL; its log" in one.output
    assert "Traceback" not in one.output
    assert not [child for child in family if alive(child)]


def test_a_role_that_keeps_dying_stops_everything(up) -> None:
    one = up()
    one.until("Ctrl-C stops it")
    family = children(one.process.pid)

    killed: set[int] = set()
    while one.process.poll() is None and len(killed) < 7:
        pid = one.pid("journal")
        if pid is not None and pid not in killed:
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        time.sleep(0.05)

    assert one.ended() == 1
    assert len(killed) <= 6
    assert "journal died more than 5 times within 60 s; the last time it was ended by SIGKILL" in one.output
    assert not [child for child in family if alive(child)]


def test_a_signal_during_the_start_leaves_no_process(up) -> None:
    one = up()
    until(lambda: len(children(one.process.pid)) >= 2, 120.0)
    family = children(one.process.pid)
    one.process.send_signal(signal.SIGINT)

    assert one.ended() == 0
    assert "Stopped." in one.output
    assert not [child for child in family if alive(child)]


def test_a_taken_port_is_named_with_the_setting(up) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        one = up(BELLBUOY_KAFKA__BOOTSTRAP=f"127.0.0.1:{port}")
        assert one.ended() == 1

    assert f"bellbuoy: port {port} for Kafka is taken" in one.output
    assert "BELLBUOY_KAFKA__BOOTSTRAP" in one.output
    assert "Traceback" not in one.output


def test_a_file_in_place_of_the_data_directory_is_named(up, tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_text("not a directory")
    one = up(file)

    assert one.ended() == 1
    assert f"bellbuoy: {file} can't be used for data" in one.output
    assert "Traceback" not in one.output


@pytest.mark.timeout(900)
def test_history_is_kept_in_postgres_where_it_is_installed(up) -> None:
    first = up(BELLBUOY_POSTGRES="null")
    first.until("Ctrl-C stops it", 400)
    assert "migrations of postgres applied." in first.output
    url = first.address("Postgres")
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO bellbuoy.positions VALUES ('kept', 7)")
    family = children(first.process.pid)
    first.process.kill()
    first.process.wait()
    until(lambda: not [pid for pid in family if alive(pid)], what="no process is left")

    second = up(BELLBUOY_POSTGRES="null")
    second.until("Ctrl-C stops it", 400)
    assert "migrations of postgres applied." not in second.output
    with psycopg.connect(second.address("Postgres")) as connection:
        kept = connection.execute("SELECT next_offset FROM bellbuoy.positions WHERE part = 'kept'").fetchone()
    assert kept == (7,)
    second.process.send_signal(signal.SIGTERM)
    assert second.ended() == 0
