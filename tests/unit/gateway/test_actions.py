"""Actions on alerts from messages: links that only a person's press changes, and Slack's signed buttons."""

from __future__ import annotations

import hashlib
import hmac
import html
import json
import re
from typing import Any
from urllib.parse import urlencode

import pytest

from gateway.actions.secrets import ActionSecrets
from schemas.identity.action_tokens import ActionToken, sign
from schemas.times import DAY, HOUR, MINUTE
from sinks.notify.links import Links
from sinks.notify.message import compose
from sinks.notify.slack.blocks import blocks
from tests.support.gateway_client import NOW, Answer, GatewayClient
from tests.support.output_records import alert, notification

LINK, SLACK = "a-secret-of-links-1", "slack-signing-secret"
SECRETS = ActionSecrets(links=(LINK, "old-secret-of-links"), slack=(SLACK,), people={"U1": "Ines Marrow"})
OPEN = notification("n1", alert("a1", account_id="acme <b>"), recipient="Ines <i>")


@pytest.fixture
def client() -> GatewayClient:
    return GatewayClient(actions=SECRETS)


def link(kind: str, secret: str = LINK) -> str:
    links = Links(gateway="https://events.example.com", secret=secret)
    acts = compose(OPEN, links, NOW).acts
    url = next(act.url for act in acts if act.kind == kind)
    assert url is not None
    assert url.startswith("https://events.example.com/alerts/act?token=")
    return url.partition("=")[2]


def get(client: GatewayClient, token: str) -> Answer:
    return client.request("GET", f"/alerts/act?token={token}")


def press(client: GatewayClient, token: str, **fields: str) -> Answer:
    form = {"content-type": "application/x-www-form-urlencoded"}
    return client.request("POST", "/alerts/act", urlencode({"token": token, **fields}).encode(), form)


@pytest.mark.parametrize("kind", ["acknowledged", "snoozed", "dismissed"])
def test_a_link_asks_and_the_press_of_its_button_acts(client: GatewayClient, kind: str) -> None:
    page = get(client, link(kind))
    assert page.status == 200
    assert client.outbox.records == []
    text = page.content.decode()
    assert "acme &lt;b&gt;" in text
    assert "Ines &lt;i&gt;" in text
    assert "<b>" not in text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    (hidden,) = re.findall(r'name="token" value="([^"]+)"', text)

    assert press(client, html.unescape(hidden)).status == 200

    (action,) = client.sent("alert.actions")
    assert (action.tenant, action.account_id, action.alert_id) == ("demo", "acme <b>", "a1")
    assert (action.kind, action.author, action.source) == (kind, "Ines <i>", "mail")
    assert action.until == (NOW + 7 * DAY if kind == "snoozed" else None)


def test_what_scanners_do_changes_nothing(client: GatewayClient) -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        client.request(method, f"/alerts/act?token={link('dismissed')}")

    assert client.outbox.records == []


def test_a_second_press_is_the_same_event_and_another_hour_another(client: GatewayClient) -> None:
    for later in (0, MINUTE, HOUR):
        client.now = NOW + later
        press(client, link("acknowledged"))

    ids = [action.event_id for action in client.sent("alert.actions")]
    assert len(ids) == 3
    assert len(set(ids)) == 2


@pytest.mark.parametrize(("said", "kept"), [("noise", "noise"), ("", None), ("<x>", None)])
def test_a_dismissal_takes_feedback(client: GatewayClient, said: str, kept: str | None) -> None:
    press(client, link("dismissed"), feedback=said)

    assert client.sent("alert.actions")[0].feedback == kept


def test_an_old_secret_is_good_while_it_is_named_and_a_link_until_its_time(client: GatewayClient) -> None:
    assert get(client, link("snoozed", "old-secret-of-links")).status == 200
    client.now = NOW + 30 * DAY
    assert get(client, link("snoozed")).status == 400
    assert press(client, link("snoozed")).status == 400
    assert client.outbox.records == []


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "x.y",
        "%",
        "<script>alert(1)</script>",
        link("snoozed", "secret-of-somebody"),
        link("snoozed")[:-4],
        "A" * 5_000,
        sign(
            ActionToken(
                tenant="t", account_id="a", alert_id="b", kind="erased", author="", expires_at=2 * NOW
            ),
            LINK,
        ),
    ],
)
def test_a_forged_link_is_refused_and_shown_nowhere(client: GatewayClient, token: str) -> None:
    for answer in (get(client, token), press(client, token)):
        assert answer.status == 400
        assert b"script>alert" not in answer.content
    assert client.outbox.records == []


def test_a_press_that_kafka_did_not_confirm_says_so(client: GatewayClient) -> None:
    client.outbox.down = True

    answer = press(client, link("snoozed"))

    assert answer.status == 503
    assert b"Not done" in answer.content


def test_without_secrets_there_are_no_routes() -> None:
    bare = GatewayClient()

    assert get(bare, link("snoozed")).status == 404
    assert slack(bare, button("snoozed")).status == 404


def button(kind: str, secret: str = SLACK) -> dict[str, Any]:
    made = blocks(OPEN, compose(OPEN, Links(), NOW), secret, NOW)
    (row,) = [block for block in made if block["type"] == "actions"]
    return next(each for each in row["elements"] if each["action_id"] == f"bellbuoy.{kind}")


def payload(*buttons: dict[str, Any], user: str = "U1", kind: str = "block_actions") -> bytes:
    actions = [{"action_id": each["action_id"], "value": each["value"]} for each in buttons]
    content = {"type": kind, "user": {"id": user, "username": "zoë"}, "actions": actions, "extra": [1]}
    return urlencode({"payload": json.dumps(content)}).encode()


def slack(client: GatewayClient, *buttons: dict[str, Any], **more: Any) -> Answer:
    return signed(client, payload(*buttons, **more))


def signed(client: GatewayClient, body: bytes, secret: str = SLACK, at: int = NOW) -> Answer:
    seconds = str(at // 1000)
    signature = hmac.new(secret.encode(), b"v0:" + seconds.encode() + b":" + body, hashlib.sha256).hexdigest()
    headers = {"X-Slack-Request-Timestamp": seconds, "X-Slack-Signature": f"v0={signature}"}
    return client.request("POST", "/slack/actions", body, headers)


@pytest.mark.parametrize("kind", ["acknowledged", "snoozed", "assigned", "dismissed"])
def test_a_press_in_slack_acts_in_the_name_of_who_pressed(client: GatewayClient, kind: str) -> None:
    assert slack(client, button(kind)).status == 200

    (action,) = client.sent("alert.actions")
    assert (action.tenant, action.account_id, action.alert_id) == ("demo", "acme <b>", "a1")
    assert (action.kind, action.author, action.source) == (kind, "Ines Marrow", "slack")
    assert action.assignee == ("Ines Marrow" if kind == "assigned" else None)
    assert action.until == (NOW + 7 * DAY if kind == "snoozed" else None)


def test_who_is_no_recipient_acts_under_the_name_in_slack(client: GatewayClient) -> None:
    slack(client, button("acknowledged"), user="U9")

    assert client.sent("alert.actions")[0].author == "zoë (Slack)"


def test_slacks_own_example_of_a_signature_is_taken() -> None:
    """From Slack's page on verifying requests, where the arithmetic is spelled out."""
    body = (
        "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&"
        "channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&"
        "response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&"
        "trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    signature = hmac.new(
        b"8f742231b10e8888abcd99yyyzzz85a5", f"v0:1531420618:{body}".encode(), hashlib.sha256
    ).hexdigest()
    assert signature == "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    client = GatewayClient(actions=ActionSecrets(slack=("8f742231b10e8888abcd99yyyzzz85a5",)))
    client.now = 1_531_420_618_000

    answer = client.request(
        "POST",
        "/slack/actions",
        body.encode(),
        {"x-slack-request-timestamp": "1531420618", "x-slack-signature": f"v0={signature}"},
    )

    assert answer.status == 400  # proven, and no press of a button


@pytest.mark.parametrize("at", [NOW - 5 * MINUTE - 1_000, NOW + 5 * MINUTE + 1_000, 0])
def test_a_replay_is_401(client: GatewayClient, at: int) -> None:
    body = payload(button("snoozed"))
    assert signed(client, body, at=NOW - 4 * MINUTE).status == 200

    assert signed(client, body, at=at).status == 401
    assert len(client.sent("alert.actions")) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-slack-signature": "v0=aa"},
        {"x-slack-request-timestamp": str(NOW // 1000)},
        {"x-slack-request-timestamp": str(NOW // 1000), "x-slack-signature": "v0=" + "0" * 64},
        {"x-slack-request-timestamp": str(NOW // 1000), "x-slack-signature": "v0=\u00e9"},
        {"x-slack-request-timestamp": "soon", "x-slack-signature": "v0=aa"},
    ],
)
def test_a_forged_press_is_401(client: GatewayClient, headers: dict[str, str]) -> None:
    assert client.request("POST", "/slack/actions", payload(button("snoozed")), headers).status == 401
    assert signed(client, payload(button("snoozed")), secret="guessed").status == 401
    assert signed(client, b"payload=%ff\xff", secret="guessed").status == 401
    assert client.outbox.records == []


@pytest.mark.parametrize(
    "body", [b"", b"payload=", b"payload=%7B%7D", b"\xff", b"payload=%5B%5D", b"payload=null", b"a=1&" * 50]
)
def test_a_body_of_slack_that_is_no_press_is_400(client: GatewayClient, body: bytes) -> None:
    assert signed(client, body).status in (400, 401)
    assert client.outbox.records == []


def test_other_interactions_of_the_app_are_passed_over(client: GatewayClient) -> None:
    assert slack(client, button("snoozed"), kind="view_submission").status == 200
    other = button("snoozed") | {"action_id": "somebody.else"}
    assert slack(client, other).status == 200
    assert client.outbox.records == []


def test_a_button_that_another_secret_made_is_400(client: GatewayClient) -> None:
    assert slack(client, button("snoozed", "another-secret")).status == 400
    assert client.outbox.records == []


def test_slack_is_told_when_kafka_did_not_confirm(client: GatewayClient) -> None:
    client.outbox.down = True

    assert slack(client, button("snoozed")).status == 503
