"""``bellbuoy notify``: a sample through a channel of the settings, and what came back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from bellbuoy.cli.app import app
from bellbuoy.exit_codes import AWAY, CONFIGURATION, FAILED
from tests.support.http_receiver import answer as http_answer
from tests.support.smtp_receiver import SmtpReceiver, answer
from tests.support.webhook_receiver import SECRET, WebhookReceiver

NO_KAFKA = "127.0.0.1:1"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BELLBUOY_KAFKA__BOOTSTRAP", NO_KAFKA)


def run(monkeypatch: pytest.MonkeyPatch, notify: dict[str, Any], *arguments: str) -> Any:
    monkeypatch.setenv("BELLBUOY_NOTIFY", json.dumps(notify))
    return CliRunner().invoke(app, ["notify", *arguments])


def mail(receiver: SmtpReceiver) -> dict[str, Any]:
    return {**receiver.settings, "kinds": ["page"]}


@pytest.mark.parametrize("kind", ["alert", "digest", "page", "escalation"])
def test_a_sample_of_each_kind_arrives_whatever_the_channel_takes(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    with SmtpReceiver() as receiver:
        settings = {
            "channels": {"mail": mail(receiver)},
            "recipients": {"Ines Marrow": {"email": "ines@example.com"}},
        }
        ran = run(monkeypatch, settings, "test", "mail", "--kind", kind, "--to", "Ines Marrow")

        assert ran.exit_code == 0, ran.output
        assert "mail (email) to ines@example.com: taken within" in ran.output
        ((address, message),) = receiver.inbox
    assert address == "ines@example.com"
    assert message["Subject"].startswith("This is a sample")


def test_what_the_service_answers_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with SmtpReceiver() as receiver:
        settings = {"channels": {"mail": mail(receiver)}}
        receiver.script.extend([answer("554 5.7.1 spam"), answer("451 4.7.1 greylisted")])

        refused = run(monkeypatch, settings, "test", "mail")
        busy = run(monkeypatch, settings, "test", "mail", "--json")

    assert refused.exit_code == FAILED
    assert "554 5.7.1 spam" in refused.output
    assert "it will not pass by itself" in refused.output
    assert busy.exit_code == AWAY
    assert json.loads(busy.stdout)["error"].endswith("451 4.7.1 greylisted")


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with WebhookReceiver() as receiver:
        receiver.script.append(http_answer(500))
        url = f"{receiver.url}/hunter2"
        hook = {"type": "webhook", "url": url, "secret": SECRET, "internal": True}
        shown = [
            run(monkeypatch, {"channels": {"hook": hook}}, "test", "hook"),
            run(monkeypatch, {"channels": {"hook": hook}}, "list"),
            run(monkeypatch, {"channels": {"hook": hook | {"internal": "hunter2"}}}, "list"),
        ]

    assert [ran.exit_code for ran in shown[:2]] == [AWAY, 0]
    assert not [ran for ran in shown if "hunter2" in ran.output or SECRET in ran.output]


def test_the_channels_are_listed_with_what_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    with SmtpReceiver() as receiver:
        ran = run(monkeypatch, {"channels": {"mail": mail(receiver)}}, "list")

    assert ran.output == "mail: email, to cs@example.com; takes kinds page\n"
    assert "nobody is notified" in run(monkeypatch, {}, "list").output


def test_a_slip_in_a_name_says_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with SmtpReceiver() as receiver:
        settings = {"channels": {"mail": mail(receiver)}}
        unknown = run(monkeypatch, settings, "test", "mial")
        kind = run(monkeypatch, settings, "test", "mail", "--kind", "fax")

    assert getattr(unknown.exception, "exit_code", None) == CONFIGURATION
    assert "did you mean mail?" in str(unknown.exception)
    assert kind.exit_code == CONFIGURATION
