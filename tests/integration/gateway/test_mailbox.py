"""A mailbox on a real IMAP server: new messages in the order of UIDs, headers alone, nothing marked."""

from __future__ import annotations

import imaplib
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bellbuoy.local.embedded.ports import free_port
from gateway.http.sender import Sender
from gateway.pulls.mailbox import connection as mailbox_connection
from gateway.pulls.mailbox import source as mailbox
from gateway.pulls.pull import KIND, Cursor, PullError, PullRefusedError
from processors.measures import MEASURES
from processors.view import View
from schemas.times import DAY, HOUR
from tests.support.vendor_accounts import Accounts
from tests.support.waiting import until

BEGAN = 1_790_000_000_000  # 2026-09-21T14:13:20Z
USER, PASSWORD = "ann", "pw-of-ann"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server without messages, for as long as the module's tests take."""
    number = free_port()
    program = Path(sysconfig.get_path("scripts")) / "pymap"
    options = ["--host", "127.0.0.1", "--port", str(number), "--no-tls", "dict"]
    server = subprocess.Popen(
        [sys.executable, program, *options, "--demo-user", USER, "--demo-password", PASSWORD],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def answers() -> bool:
        try:
            socket.create_connection(("127.0.0.1", number), 1).close()
        except OSError:
            return False
        return True

    try:
        until(answers, what="the IMAP server")
        yield number
    finally:
        server.kill()
        server.wait()


class Box:
    """One folder of the server, and a pull that reads it."""

    def __init__(self, port: int, folder: str) -> None:
        self.folder = folder
        self.imap = imaplib.IMAP4("127.0.0.1", port, timeout=60)
        self.imap.login(USER, PASSWORD)
        self.imap.create(folder)
        said = {
            "host": "127.0.0.1", "port": port, "tls": False, "user": USER, "password": PASSWORD,
            "folders": [folder], "own_domains": ["us.example"],
        }  # fmt: skip
        self.pull: Any = mailbox.SOURCE.connect(mailbox.SOURCE.settings.model_validate(said))

    def add(self, sender: str, to: str, at: int, number: str, extra: str = "") -> None:
        text = (
            f"From: {sender}\r\nTo: {to}\r\nMessage-ID: <{number}>\r\n{extra}Subject: secret plan\r\n\r\n"
            "a secret body\r\n"
        )
        status, _ = self.imap.append(self.folder, "", imaplib.Time2Internaldate(at / 1000), text.encode())
        assert status == "OK"

    def read(self, cursor: Cursor, now: int) -> tuple[list[Any], Cursor]:
        events: list[Any] = []
        while True:
            page = self.pull.page(self.folder, cursor, now)
            sender = Sender("acme", "mailbox", now)
            for item in page.items:
                assert b"secret" not in item.raw
                events.append(mailbox.SOURCE.to_record(item.raw, sender, {KIND: item.kind.encode()}))
            cursor = page.cursor
            if not page.more:
                return events, cursor


@pytest.fixture
def box(port: int, request: pytest.FixtureRequest) -> Iterator[Box]:
    box = Box(port, f"F{abs(hash(request.node.name))}")
    yield box
    box.pull.close()
    box.imap.logout()


def test_mail_becomes_contacts_and_moves_latency_and_silence(box: Box) -> None:
    box.add("Ann <ann@us.example>", "Bob <bob@acme.example>", BEGAN, "1@us")
    box.add("bob@acme.example", "ann@us.example", BEGAN + 6 * HOUR, "2@acme")
    box.add("ann@us.example", "bob@acme.example, eve@other.example, me@gmail.com", BEGAN + DAY, "3@us")
    box.add("ann@us.example", "joe@us.example", BEGAN + DAY, "4@us")
    box.add("news@acme.example", "ann@us.example", BEGAN + DAY, "5@acme", "List-Unsubscribe: <x>\r\n")
    box.add("bob@acme.example", "ann@us.example", BEGAN + DAY, "6@acme", "Auto-Submitted: auto-replied\r\n")
    events, cursor = box.read({}, BEGAN + 2 * DAY)

    acme, other = "~domain:acme.example", "~domain:other.example"
    assert [(e.account_id, e.kind, e.user_id, e.occurred_at - BEGAN) for e in events] == [
        (acme, "email_sent", "bob@acme.example", 0),
        (acme, "email_received", "bob@acme.example", 6 * HOUR),
        (acme, "email_sent", "bob@acme.example", DAY),
        (other, "email_sent", "eve@other.example", DAY),
    ]
    assert box.read(cursor, BEGAN + 2 * DAY)[0] == []
    accounts = Accounts()
    accounts.fold(events)
    view = View(accounts.states[acme], BEGAN + 10 * DAY)
    assert MEASURES["engagement.reply_latency"](view).value == pytest.approx(6)
    assert MEASURES["engagement.last_touch"](view).value == 10
    assert MEASURES["engagement.unanswered"](view).value == 1


def test_it_goes_on_after_the_last_uid_by_pages_and_marks_nothing(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox_connection, "_PAGE", 2)
    for number in range(5):
        box.add("bob@acme.example", "ann@us.example", BEGAN + number, f"{number}@acme")
    first, cursor = box.read({}, BEGAN + HOUR)
    box.add("bob@acme.example", "ann@us.example", BEGAN + 9, "9@acme")
    second, _ = box.read(cursor, BEGAN + HOUR)
    assert [e.occurred_at - BEGAN for e in first] == [0] * 5  # IMAP's times have no fractions
    assert len({e.event_id for e in first + second}) == 6
    assert len(second) == 1
    box.imap.select(box.folder, readonly=True)
    assert box.imap.uid("SEARCH", "SEEN") == ("OK", [b""])


def test_a_folder_made_anew_is_read_again_and_its_messages_keep_their_ids(box: Box) -> None:
    box.add("bob@acme.example", "ann@us.example", BEGAN, "1@acme")
    first, cursor = box.read({}, BEGAN + HOUR)
    again, _ = box.read({**cursor, "validity": 1}, BEGAN + HOUR)
    assert [e.event_id for e in again] == [e.event_id for e in first]
    late, _ = box.read({**cursor, "validity": 1, "day": BEGAN + 5 * DAY}, BEGAN + 6 * DAY)
    assert late == []


def test_a_lost_connection_gives_no_page_and_the_next_try_opens_another(box: Box) -> None:
    box.add("bob@acme.example", "ann@us.example", BEGAN, "1@acme")
    _, cursor = box.read({}, BEGAN + HOUR)
    box.pull._imap.sock.shutdown(socket.SHUT_RDWR)
    box.add("bob@acme.example", "ann@us.example", BEGAN, "2@acme")
    with pytest.raises(PullError):
        box.pull.page(box.folder, cursor, BEGAN + HOUR)
    assert len(box.read(cursor, BEGAN + HOUR)[0]) == 1


def test_a_wrong_password_and_a_folder_that_is_not_there_are_refused(box: Box) -> None:
    with pytest.raises(PullRefusedError, match="has no folder 'Nowhere'"):
        box.pull.page("Nowhere", {}, BEGAN)
    settings = box.pull._settings.model_copy(update={"user": "eve"})
    with pytest.raises(PullRefusedError, match="refuses the user 'eve'") as raised:
        mailbox.SOURCE.connect(settings).page("INBOX", {}, BEGAN)
    assert PASSWORD not in str(raised.value)
