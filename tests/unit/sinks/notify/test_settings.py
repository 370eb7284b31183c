"""Settings of channels: routes, addresses, secrets in files, and every fault at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sinks.notify.settings import NotifySettings
from tests.support.output_records import alert, notification

EMAIL = {
    "type": "email",
    "host": "smtp.example.com",
    "sender": "Bell <bell@example.com>",
    "to": "cs@example.com",
}


def settings(*, recipients: dict[str, Any] | None = None, **channels: Any) -> NotifySettings:
    return NotifySettings.model_validate({"channels": channels, "recipients": recipients or {}})


@pytest.mark.parametrize(
    ("filters", "taken"),
    [
        ({}, True),
        ({"kinds": ["alert"]}, True),
        ({"kinds": ["digest", "page"]}, False),
        ({"severities": ["warning", "critical"]}, True),
        ({"severities": ["critical"]}, False),
        ({"lanes": ["churn_risk"]}, True),
        ({"lanes": ["billing"]}, False),
        ({"tenants": ["acme"]}, False),
        ({"recipients": ["ann"]}, True),
        ({"recipients": ["sre"]}, False),
        ({"kinds": ["alert"], "severities": ["critical"]}, False),
    ],
)
def test_a_channel_takes_what_its_filters_name(filters: dict[str, Any], taken: bool) -> None:
    routed = settings(mail=EMAIL | filters).route("mail", notification("n1", alert()))

    assert routed == ("cs@example.com" if taken else None)


def test_a_digest_of_several_lanes_is_for_each_of_them() -> None:
    mixed = notification("n1", alert("a1", lane="billing"), alert("a2", lane="support"), lane="")

    assert settings(mail=EMAIL | {"lanes": ["support"]}).route("mail", mixed)
    assert not settings(mail=EMAIL | {"lanes": ["renewal"]}).route("mail", mixed)


def test_an_address_is_the_recipients_own_in_the_channel_then_by_type_then_the_channels() -> None:
    recipients = {
        "ann": {"email": "ann@example.com", "mail": "ann.direct@example.com"},
        "ben": {"email": "ben@example.com"},
        "acme:ben": {"email": "ben@acme.example"},
    }
    routes = settings(recipients=recipients, mail=EMAIL)

    def address(recipient: str, tenant: str = "demo") -> str | None:
        return routes.route("mail", notification("n1", alert(), recipient=recipient, tenant=tenant))

    assert address("ann") == "ann.direct@example.com"
    assert address("ben") == "ben@example.com"
    assert address("ben", "acme") == "ben@acme.example"
    assert address("cleo") == "cs@example.com"


def test_secrets_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter22\n")
    (tmp_path / "link").write_text("a-long-secret-of-links")

    read = NotifySettings.model_validate(
        {
            "channels": {"mail": EMAIL | {"username": "bell", "password_file": str(tmp_path / "password")}},
            "link_secret_file": str(tmp_path / "link"),
        }
    )

    mail: Any = read.channels["mail"]
    assert mail.password.get_secret_value() == "hunter22"
    assert read.links("https://events.example.com").secret == "a-long-secret-of-links"
    assert "hunter22" not in repr(read)
    assert "a-long" not in repr(read)


@pytest.mark.parametrize(
    ("given", "faults"),
    [
        (
            {"channels": {"mail": EMAIL | {"to": "nobody", "port": 0}}},
            ["mail.email.to", "no e-mail", "mail.email.port"],
        ),
        ({"channels": {"mail": EMAIL | {"type": "fax"}}}, ["channels.mail", "'fax'"]),
        ({"channels": {"mail": EMAIL | {"sender": "a@b\r\nBcc: c@d"}}}, ["sender"]),
        ({"channels": {"mail": EMAIL | {"kinds": ["alerts"]}}}, ["kinds"]),
        ({"channels": {"mail": EMAIL | {"colour": "red"}}}, ["colour"]),
        ({"channels": {"Mail!": EMAIL}}, ["channels.Mail!: use 1 to 40"]),
        ({"channels": {"mail": EMAIL | {"username": "bell"}}}, ["username and password"]),
        ({"channels": {"mail": EMAIL | {"username": "b", "password": " "}}}, ["password", "blank"]),
        (
            {"channels": {"mail": EMAIL | {"username": "b", "password_file": "/no/such"}}},
            ["/no/such can't be read"],
        ),
        (
            {"channels": {"mail": EMAIL | {"username": "b", "password": "hunter2", "security": "none"}}},
            ["starttls"],
        ),
        (
            {"channels": {"mail": EMAIL | {"password": "hunter2", "password_file": "/no/such"}}},
            ["leave one out"],
        ),
        ({"channels": {"t": {"type": "teams", "url": "hunter2"}}}, ["channels.t", "url: it is no address"]),
        (
            {"channels": {"t": {"type": "teams", "url": "http://h/hunter2"}}},
            ["url: it must begin with https"],
        ),
        (
            {"channels": {"p": {"type": "pagerduty", "routing_key": "hunter2", "url": "https://a@b/"}}},
            ["channels.p", "url: it is no address"],
        ),
        ({"channels": {"s": {"type": "slack"}}}, ["webhook_url or token"]),
        (
            {"channels": {"s": {"type": "slack", "webhook_url": "ftp://hunter2"}}},
            ["webhook_url: it is no address"],
        ),
        ({"channels": {"s": {"type": "slack", "token": "hunter2"}}}, ["to: with a token"]),
        (
            {"channels": {"s": {"type": "slack", "token": "hunter2", "to": "ann"}}},
            ["give the id of a channel"],
        ),
        (
            {
                "channels": {"s": {"type": "slack", "webhook_url": "https://hooks.slack.com/hunter2"}},
                "recipients": {"ann": {"slack": "U0123456"}},
            },
            ["recipients.ann.slack", "an incoming webhook posts to one channel"],
        ),
        (
            {
                "channels": {"t": {"type": "teams", "url": "https://h/hunter2"}},
                "recipients": {"ann": {"teams": "x"}},
            },
            ["recipients.ann.teams", "one address for everybody"],
        ),
        ({"link_secret": "short"}, ["link_secret: at least 16"]),
        ({"console_url": "bellbuoy.example"}, ["console_url"]),
        (
            {"channels": {"mail": EMAIL}, "recipients": {"ann": {"mial": "x", "email": "hunter2"}}},
            ["recipients.ann.mial", "did you mean mail?", "recipients.ann.email", "no e-mail address"],
        ),
    ],
)
def test_every_fault_is_named(given: dict[str, Any], faults: list[str]) -> None:
    with pytest.raises(ValidationError) as error:
        NotifySettings.model_validate(given)

    for fault in faults:
        assert fault in str(error.value)
    assert "hunter2" not in str(error.value).replace("'hunter2' is no e-mail address", "")
