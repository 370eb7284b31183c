"""Ctrl-C ends a command with one exit code, at once and without a traceback, wherever it is then."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from bellbuoy.cli.intake import import_ as command
from bellbuoy.exit_codes import INTERRUPTED
from bellbuoy.operations.replay.processes import started

# What a shell starts in the background ignores Ctrl-C, and so does all that this starts.
HEARING = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"


def run(script: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-c", HEARING + script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_processes_that_fold_end_with_the_command_and_say_nothing() -> None:
    script = (
        "import sys, time\n"
        "from bellbuoy.operations.replay.processes import started\n"
        "try:\n"
        "    with started(time.sleep, [10_000, 10_000, 10_000], int) as futures:\n"
        "        print('begun', flush=True)\n"
        "        futures[0].result()\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(130)\n"
    )
    process = run(script)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"

    os.killpg(process.pid, signal.SIGINT)

    assert process.communicate() == ("", "")  # the pipes are closed: no process is left that holds them
    assert process.returncode == INTERRUPTED


def test_processes_that_fold_do_not_hear_of_ctrl_c() -> None:
    with started(partial(signal.pthread_sigmask, signal.SIG_BLOCK), [()], int) as futures:
        assert signal.SIGINT in futures[0].result()
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_ctrl_c_while_the_command_is_being_loaded_prints_no_traceback() -> None:
    script = (
        "import sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'bellbuoy.cli.app':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from bellbuoy.__main__ import main\n"
        "main()\n"
    )
    process = run(script)

    assert process.communicate() == ("", "")
    assert process.returncode == INTERRUPTED


def test_a_second_ctrl_c_ends_what_the_first_left() -> None:
    script = (
        "import atexit, os, signal, sys\n"
        "from bellbuoy.__main__ import main\n"
        "atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))\n"
        "sys.argv = ['bellbuoy', '--version']\n"
        "main()\n"
    )
    process = run(script)

    assert process.communicate()[1] == ""
    assert process.returncode == -signal.SIGINT


def test_an_interrupted_import_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    class Outbox:
        def __init__(self, *_: object, **__: object) -> None: ...

        async def open(self) -> None:
            await asyncio.sleep(0)

        async def close(self) -> None:
            await asyncio.sleep(0)

    fields = "account_id: company, user_id: person, occurred_at: at, name: {value: Used}"
    mapping = tmp_path / "map.yaml"
    mapping.write_text(
        f"tenant: acme\ntables:\n  usage: {{files: [a.csv], into: usage, fields: {{{fields}}}}}\n"
    )
    rows = tmp_path / "a.csv"
    rows.write_text("company,person,at\n")
    monkeypatch.setattr("bellbuoy.operations.kafka.topics.require_topics", lambda _: None)
    monkeypatch.setattr("bellbuoy.operations.kafka.registry.registry", lambda _: None)
    monkeypatch.setattr("gateway.outbox.kafka.KafkaOutbox", Outbox)
    monkeypatch.setattr("gateway.outbox.dispatch.Dispatcher", lambda *_: None)
    monkeypatch.setattr("bellbuoy.importing.run.check_rows", lambda *_: ([], set()))
    monkeypatch.setattr("bellbuoy.importing.run.send_rows", interrupted)

    with pytest.raises(BaseException) as ended:
        command.import_([rows], mapping)

    assert getattr(ended.value, "exit_code", None) == INTERRUPTED
    assert "run the same command again: it goes on where it was" in capsys.readouterr().err
