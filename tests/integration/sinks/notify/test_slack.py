"""The Slack channel: one message that changes with its alert, and nothing in it that Slack parses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sinks.notify.message import compose
from sinks.notify.port import Notification
from sinks.notify.slack.blocks import blocks, fallback
from sinks.notify.slack.channel import SlackChannel
from sinks.notify.slack.settings import SlackSettings
from tests.support.http_receiver import SlackReceiver, slack_error, take
from tests.support.notifications import HOSTILE, LINKS, every_kind, hostile
from tests.support.output_records import AT, alert, notification

OPENED = notification("n1", alert("a1"))
CHANGED = notification("n2", alert("a1", 2, "updated"), title="Acme GmbH turned critical")


@pytest.fixture
def slack() -> Iterator[SlackReceiver]:
    with SlackReceiver("xoxb-1") as receiver:
        yield receiver


@pytest.fixture
def channel(slack: SlackReceiver) -> Iterator[SlackChannel]:
    settings = SlackSettings(token="xoxb-1", to="#customers", signing_secret="s", api_url=slack.api_url)
    made = SlackChannel(settings, links=LINKS)
    yield made
    made.close()


def test_a_change_of_an_alert_changes_its_message(slack: SlackReceiver, channel: SlackChannel) -> None:
    first = channel.notify(Notification(content=OPENED, address="U0123456"))
    second = channel.notify(Notification(content=CHANGED, address="U0123456", earlier=first.message_id))

    (message,) = slack.messages.values()
    assert message["metadata"]["event_payload"] == {"notification_id": "n2"}
    assert "turned critical" in message["text"]
    assert second == first
    assert [path.rpartition("/")[2] for path in slack.paths] == ["chat.postMessage", "chat.update"]
    assert slack.taken[0]["channel"] == "U0123456"


def test_a_change_that_must_be_noticed_is_answered_in_its_thread_and_in_the_channel(
    slack: SlackReceiver, channel: SlackChannel
) -> None:
    worse = notification("n2", alert("a1", 2, "updated"), title="<!here> & more", attention=True)
    first = channel.notify(Notification(content=OPENED, address="U0123456"))
    second = channel.notify(Notification(content=worse, address="U0123456", earlier=first.message_id))

    changed, reply = slack.messages.values()
    assert second == first
    assert changed["metadata"] == reply["metadata"]
    assert (reply["thread_ts"], reply["channel"]) == (changed["ts"], changed["channel"])
    assert reply["reply_broadcast"] in ("1", "true", True)
    assert reply["mrkdwn"] in ("0", "false", False)
    assert reply["text"].endswith("&lt;!here&gt; &amp; more")


@pytest.mark.parametrize("code", ["thread_not_found", "cannot_reply_to_message"])
def test_a_change_whose_thread_takes_no_answer_is_posted_anew(
    slack: SlackReceiver, channel: SlackChannel, code: str
) -> None:
    worse = notification("n2", alert("a1", 2, "updated"), attention=True)
    first = channel.notify(Notification(content=OPENED, address="#other"))
    slack.script.extend([take, slack_error(code)])
    second = channel.notify(Notification(content=worse, address="#other", earlier=first.message_id))

    assert len(slack.messages) == 2
    assert second != first


@pytest.mark.parametrize("code", ["message_not_found", "edit_window_closed", "cant_update_message"])
def test_a_message_that_is_gone_is_posted_anew(
    slack: SlackReceiver, channel: SlackChannel, code: str
) -> None:
    slack.script.append(slack_error(code))

    channel.notify(Notification(content=CHANGED, address="#other", earlier="C1/1.2"))

    (message,) = slack.messages.values()
    assert message["channel"] == "#other"


@pytest.mark.parametrize("content", [*every_kind().values(), *map(hostile, HOSTILE)])
def test_texts_of_others_stand_only_in_fields_that_slack_does_not_parse(content: Any) -> None:
    message = compose(content, LINKS, AT)
    made = blocks(content, message, "secret", AT)

    assert len(made) <= 50
    for block in made:
        assert block["type"] in ("header", "rich_text", "actions")
        for element in block.get("elements", []):
            assert element["type"] in ("rich_text_section", "button")
    assert "mrkdwn" not in json.dumps(made)
    assert len(made[0]["text"]["text"]) <= 150
    text = fallback(message)
    assert "<" not in text
    assert ">" not in text
    for block in made:
        for button in block["elements"] if block["type"] == "actions" else []:
            assert len(button["value"]) <= 2_000
