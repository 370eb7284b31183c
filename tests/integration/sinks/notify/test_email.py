"""The e-mail channel: encryption and login, threads, headers that nobody can forge, links to act."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from sinks.notify.email.channel import EmailChannel
from sinks.notify.email.settings import EmailSettings
from sinks.notify.port import Notification, PermanentError, TemporaryError
from tests.support.notifications import HOSTILE, LINKS, every_kind, hostile
from tests.support.output_records import alert, notification
from tests.support.smtp_receiver import SmtpReceiver

KINDS = every_kind()


@pytest.fixture
def receiver() -> Iterator[SmtpReceiver]:
    with SmtpReceiver() as made:
        yield made


def channel(receiver: SmtpReceiver, **fields: Any) -> EmailChannel:
    given = {
        "host": "127.0.0.1",
        "port": receiver.port,
        "security": "none",
        "sender": "Bellbuoy <bell@example.com>",
        "to": "cs@example.com",
    }
    return EmailChannel(EmailSettings.model_validate(given | fields), links=LINKS)


def sent(receiver: SmtpReceiver, content: Any, address: str = "") -> EmailMessage:
    channel(receiver).notify(Notification(content=content, address=address))
    return receiver.inbox[-1][1]


def part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def test_a_mail_is_text_and_html_with_links_to_act(receiver: SmtpReceiver) -> None:
    mail = sent(receiver, KINDS["opened"], "Ines Marrow <ines@example.com>")

    assert receiver.inbox[-1][0] == "ines@example.com"
    assert mail["To"] == "Ines Marrow <ines@example.com>"
    assert mail["From"] == "Bellbuoy <bell@example.com>"
    assert mail["Subject"] == "Amber Harbour Foods uses the product much less"
    assert mail["Message-ID"] == "<0f3a9c1e77@example.com>"
    assert mail["Auto-Submitted"] == "auto-generated"
    for kind in ("plain", "html"):
        text = part(mail, kind)
        assert "score 71 → 38" in text
        assert text.count("https://events.example.com/alerts/act?token=") == 3
    assert "Snooze a week: https://" in part(mail, "plain")


def test_the_mails_of_an_alert_are_one_conversation_and_a_repetition_has_its_id(
    receiver: SmtpReceiver,
) -> None:
    opened, updated, ended = (sent(receiver, KINDS[kind]) for kind in ("opened", "updated", "resolved"))
    again = sent(receiver, KINDS["updated"])

    root = "<alert-a1@example.com>"
    assert [mail["References"] for mail in (opened, updated, ended)] == [root] * 3
    assert [mail["In-Reply-To"] for mail in (opened, updated, ended)] == [None, root, root]
    assert updated["Subject"] == "Re: Amber Harbour Foods turned critical"
    assert again["Message-ID"] == updated["Message-ID"] != opened["Message-ID"]
    assert updated["Importance"] == "high"


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_adds_a_header_or_a_recipient(receiver: SmtpReceiver, name: str) -> None:
    plain, mail = sent(receiver, KINDS["opened"]), sent(receiver, hostile(name))

    assert set(mail.keys()) <= set(plain.keys())
    assert mail["Bcc"] is None
    assert len(receiver.inbox) == 2
    assert mail["X-Bellbuoy-Notification"] == "n1"


def test_an_address_that_the_server_refuses_fails_and_one_that_is_busy_waits(
    receiver: SmtpReceiver,
) -> None:
    receiver.refused = {"gone@example.com": "550 5.1.1 unknown", "busy@example.com": "450 4.2.0 greylisted"}
    content = notification("n1", alert())

    with pytest.raises(PermanentError, match=r"refused gone@example\.com: 550"):
        sent(receiver, content, "gone@example.com")
    with pytest.raises(TemporaryError, match=r"refused busy@example\.com: 450"):
        sent(receiver, content, "busy@example.com")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost, and its key, in one file; signed by itself."""
    import subprocess

    file = tmp_path_factory.mktemp("tls") / "server.pem"
    key = file.with_suffix(".key")
    subprocess.run(
        [
            *[
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
            ],
            *("-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", key, "-out", file),
        ],
        check=True,
        capture_output=True,
    )
    file.write_text(file.read_text() + key.read_text())
    return file


@pytest.fixture
def tls_receiver(certificate: Path) -> Iterator[SmtpReceiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with SmtpReceiver(tls=context, password="hunter2") as made:
        yield made


def test_mails_go_encrypted_and_after_a_login(
    tls_receiver: SmtpReceiver, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = {"host": "localhost", "security": "starttls", "username": "bell", "password": "hunter2"}
    content = Notification(content=KINDS["opened"])

    with pytest.raises(TemporaryError, match="certificate"):
        channel(tls_receiver, **login).notify(content)
    assert tls_receiver.logins == []
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with pytest.raises(TemporaryError, match="certificate"):  # which is for localhost
        channel(tls_receiver, **login | {"host": "127.0.0.1"}).notify(content)
    with pytest.raises(TemporaryError, match="refused the login") as wrong:
        channel(tls_receiver, **login | {"password": "hunter3"}).notify(content)
    channel(tls_receiver, **login).check()
    channel(tls_receiver, **login).notify(content)

    assert "hunter3" not in str(wrong.value)
    assert len(tls_receiver.inbox) == 1
    assert tls_receiver.logins[-1] == ("bell", "hunter2")


def test_a_server_that_offers_no_encryption_gets_nothing(receiver: SmtpReceiver) -> None:
    with pytest.raises(TemporaryError):
        channel(receiver, security="starttls").notify(Notification(content=KINDS["opened"]))

    assert receiver.inbox == []
