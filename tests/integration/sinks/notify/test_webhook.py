"""The webhook channel: signatures, settings, and the guard against requests into one's own network."""

from __future__ import annotations

import json
import socket
import subprocess
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from pydantic import ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from bellbuoy.local.embedded.ports import free_port
from sinks.notify.port import Notification, TemporaryError
from sinks.notify.webhook.channel import WebhookChannel
from sinks.notify.webhook.settings import WebhookSettings
from tests.support.http_receiver import answer
from tests.support.node_packages import NODE, node_packages
from tests.support.output_records import AT, alert, notification
from tests.support.webhook_receiver import SECRET, WebhookReceiver

OLD_SECRET = "whsec_" + "b2xk" * 10
NOTIFICATION = Notification(content=notification("n1", alert("a1", 1)))


def channel(
    url: str, secret: str = SECRET, old_secret: str | None = None, *, internal: bool = True
) -> WebhookChannel:
    return WebhookChannel(WebhookSettings(url=url, secret=secret, old_secret=old_secret, internal=internal))


def test_the_body_is_the_alert_with_its_time_and_its_kind() -> None:
    with WebhookReceiver() as receiver:
        channel(receiver.url).notify(NOTIFICATION)

        (payload,) = receiver.inbox.values()
        assert list(receiver.inbox) == [NOTIFICATION.dedup_key]
    assert payload["type"] == "alert.opened"
    assert payload["timestamp"] == "2025-06-15T15:06:40.001Z"
    assert datetime.fromisoformat(payload["timestamp"]) == datetime.fromtimestamp((AT + 1) / 1000, UTC)
    assert payload["data"]["recipient"] == "ann"
    assert payload["data"]["alerts"][0]["title"] == NOTIFICATION.content.alerts[0].title


def test_a_digest_has_a_kind_of_its_own() -> None:
    with WebhookReceiver() as receiver:
        digest = notification("n2", alert("a1"), alert("a2", 7))
        channel(receiver.url).notify(Notification(content=digest))

        (payload,) = receiver.inbox.values()
    assert payload["type"] == "alerts.digest"
    assert [each["alert_id"] for each in payload["data"]["alerts"]] == ["a1", "a2"]


@pytest.mark.parametrize("known", [SECRET, OLD_SECRET])
def test_while_a_secret_is_rotated_either_one_verifies(known: str) -> None:
    with WebhookReceiver(known) as receiver:
        channel(receiver.url, SECRET, OLD_SECRET).notify(NOTIFICATION)

        assert len(receiver.inbox) == 1


def test_a_receiver_with_another_secret_takes_nothing() -> None:
    with WebhookReceiver(OLD_SECRET) as receiver:
        with pytest.raises(TemporaryError):  # it breaks off, as its verification raises
            channel(receiver.url).notify(NOTIFICATION)

        assert receiver.inbox == {}
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD_SECRET).verify(
            "{}", {"webhook-id": "1", "webhook-timestamp": "1", "webhook-signature": "v1,aa"}
        )


@pytest.mark.parametrize("known", [SECRET, OLD_SECRET])
def test_the_vendors_library_for_node_verifies_it(known: str) -> None:
    script = node_packages(Path(__file__).parent / "node") / "receive.mjs"
    with subprocess.Popen([NODE, script, known], stdout=subprocess.PIPE, text=True) as receiver:
        assert receiver.stdout is not None
        try:
            url = f"http://127.0.0.1:{int(receiver.stdout.readline())}/hook"
            channel(url, SECRET, OLD_SECRET).notify(NOTIFICATION)
            assert json.loads(receiver.stdout.readline()) == {"id": "n1", "type": "alert.opened"}
            with pytest.raises(TemporaryError, match="401"):
                channel(url, "whsec_" + "YWJj" * 10).notify(NOTIFICATION)
            assert "error" in json.loads(receiver.stdout.readline())
        finally:
            receiver.kill()


def test_a_redirect_is_not_followed() -> None:
    with WebhookReceiver() as receiver, WebhookReceiver() as elsewhere:
        receiver.script.append(answer(307, location=elsewhere.url))

        with pytest.raises(TemporaryError, match="307"):
            channel(receiver.url).notify(NOTIFICATION)

        assert elsewhere.methods == []


def test_a_check_sends_no_webhook() -> None:
    with WebhookReceiver() as receiver:
        receiver.script.append(answer(405))
        channel(receiver.url).check()

        assert receiver.methods == ["OPTIONS"]
    with pytest.raises(TemporaryError, match="can't be reached"):
        channel(f"http://127.0.0.1:{free_port()}/").check()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("99999999999", 3600),
        ("9" * 500, 3600),
        ("-5", None),
        ("soon", None),
        ("nan", None),
    ],
)
def test_retry_after_is_seconds(header: str, seconds: float | None) -> None:
    with WebhookReceiver() as receiver:
        receiver.script.append(answer(503, retry_after=header))
        with pytest.raises(TemporaryError) as error:
            channel(receiver.url).notify(NOTIFICATION)

    assert error.value.retry_after == seconds


@pytest.mark.parametrize(("ahead", "seconds"), [(90, 90), (-90, 0), (90_000, 3600)])
def test_retry_after_is_a_date(ahead: int, seconds: float) -> None:
    with WebhookReceiver() as receiver:
        at = datetime.now(UTC) + timedelta(seconds=ahead)
        receiver.script.append(answer(429, retry_after=format_datetime(at, usegmt=True)))
        with pytest.raises(TemporaryError) as error:
            channel(receiver.url).notify(NOTIFICATION)

    assert error.value.retry_after == pytest.approx(seconds, abs=5)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254", "10.1.2.3"],
)
def test_addresses_of_ones_own_network_are_not_connected_to(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _, place: connected.append(place))

    for act in (lambda c: c.check(), lambda c: c.notify(NOTIFICATION)):
        with pytest.raises(TemporaryError, match="not a public address"):
            act(channel(f"https://{host}/hook", internal=False))

    assert connected == []


def test_a_name_that_leads_into_ones_own_network_is_not_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it led elsewhere a moment ago: the address is looked at that is connected to."""

    def lead_home(*_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", lead_home)

    with pytest.raises(TemporaryError, match="not a public address"):
        channel("https://hooks.example.com/", internal=False).notify(NOTIFICATION)


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"url": "ftp://example.com/"}, "url"),
        ({"url": "https://user:hunter2@example.com/"}, "url"),
        ({"url": "http://example.com/"}, "internal"),
        ({"secret": None}, "secret"),
        ({"secret": "whsec_aHVudGVyMg=="}, "secret"),
        ({"old_secret": "whsec_hunter2!"}, "old_secret"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"retries": 3}, "retries"),
    ],
)
def test_bad_settings_are_refused_without_showing_secrets(fields: dict[str, object], key: str) -> None:
    with pytest.raises(ValidationError, match=key) as error:
        WebhookSettings(**({"url": "https://example.com/", "secret": SECRET} | fields))

    assert "hunter2" not in str(error.value)
    assert SECRET not in repr(WebhookSettings(url="https://example.com/", secret=SECRET))
