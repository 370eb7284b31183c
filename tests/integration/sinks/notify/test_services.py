"""Teams and PagerDuty: what their services are sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sinks.notify.apprise.channel import AppriseChannel
from sinks.notify.apprise.settings import AppriseSettings
from sinks.notify.message import compose
from sinks.notify.pagerduty.channel import event
from sinks.notify.port import Notification
from sinks.notify.teams.card import workflow_message
from sinks.port import SinkSettingsError
from tests.support.notifications import HOSTILE, LINKS, every_kind, hostile
from tests.support.output_records import AT, alert, notification

KINDS = every_kind()


def sent(content: Any) -> dict[str, Any]:
    key = Notification(content=content).thread.strip()
    return event(content, compose(content, LINKS, AT), key)


def test_an_alert_triggers_an_incident_and_its_end_resolves_the_same() -> None:
    opened, ended = sent(KINDS["opened"]), sent(KINDS["resolved"])

    assert (opened["event_action"], ended["event_action"]) == ("trigger", "resolve")
    assert opened["dedup_key"] == ended["dedup_key"] == "a1"
    assert opened["payload"]["severity"] == "warning"
    assert opened["payload"]["summary"] == "Amber Harbour Foods uses the product much less"


def test_an_acknowledged_alert_acknowledges_its_incident() -> None:
    had = notification("n1", alert("a1", 2, "updated", acknowledged_by="Ann"))

    assert sent(had)["event_action"] == "acknowledge"


def test_a_page_is_about_itself() -> None:
    page = sent(KINDS["page"])

    assert (page["event_action"], page["dedup_key"]) == ("trigger", "4f3a9c1e77")
    assert page["payload"]["severity"] == "critical"
    assert len(page["payload"]["summary"]) <= 1_024


@pytest.mark.parametrize("content", [*KINDS.values(), *map(hostile, HOSTILE)])
def test_a_card_has_texts_of_others_in_text_runs_alone(content: Any) -> None:
    (attachment,) = workflow_message(compose(content, LINKS, AT))["attachments"]
    card = attachment["content"]

    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.5")
    assert '"TextBlock"' not in json.dumps(card)
    assert len(json.dumps(card)) < 28_000  # Teams refuses larger ones


def test_an_address_that_apprise_does_not_know_is_refused_without_showing_it() -> None:
    with pytest.raises(SinkSettingsError, match=r"notify\.channels\.other\.url") as error:
        AppriseChannel(AppriseSettings(url="nosuch://hunter2"), "other")

    assert "hunter2" not in str(error.value)
