"""
PagerDuty channel: posts events of the Events API v2.

Source: https://developer.pagerduty.com/docs/events-api-v2/trigger-events for the fields and the bound of the
summary.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from schemas.records import AlertNotification
from schemas.times import iso
from sinks.notify.http import HttpEndpoint
from sinks.notify.links import Links
from sinks.notify.message import Message, compose
from sinks.notify.pagerduty.settings import PagerDutySettings
from sinks.notify.port import DeliveryReceipt, Notification

__all__ = ["PagerDutyChannel", "event"]

_MOST_SUMMARY = 1_024
_SEVERITIES = {"critical": "critical", "warning": "warning", "notice": "info"}


class PagerDutyChannel:
    """
    Channel of one service.

    It is idempotent: events of one dedup key are one incident. A resolved alert resolves it, and one that a
    person acknowledged acknowledges it.
    """

    idempotent = True
    updates = True

    def __init__(
        self,
        settings: PagerDutySettings,
        name: str = "pagerduty",
        links: Links | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._links, self._clock = links or Links(), clock
        self._routing_key = settings.routing_key.get_secret_value()
        self._endpoint = HttpEndpoint(settings.url, settings.timeout_seconds, internal=settings.internal)

    def check(self) -> None:
        """Connect and send an OPTIONS request; any answer will do."""
        self._endpoint.options()

    def notify(self, notification: Notification, /) -> DeliveryReceipt:
        """Post the event; raise as the port says."""
        content = notification.content
        message = compose(content, self._links, int(self._clock() * 1000))
        key = notification.thread.strip()
        self._endpoint.post_json({"routing_key": self._routing_key, **event(content, message, key)})
        return DeliveryReceipt(message_id=key)

    def close(self) -> None:
        """Close the endpoint."""
        self._endpoint.close()


def event(content: AlertNotification, message: Message, dedup_key: str) -> dict[str, Any]:
    """Return the event of a notification, without the routing key."""
    alone = content.alerts[0] if len(content.alerts) == 1 else None
    action = "trigger"
    if message.mood == "resolved":
        action = "resolve"
    elif alone is not None and alone.acknowledged_by and content.kind == "alert":
        action = "acknowledge"
    links = [{"href": message.url, "text": "Open in the console"}] if message.url else []
    return {
        "event_action": action,
        "dedup_key": dedup_key,
        "client": "Bellbuoy",
        **({"client_url": message.url} if message.url else {}),
        "links": links,
        "payload": {
            "summary": message.title[:_MOST_SUMMARY],
            "source": content.tenant,
            "severity": _SEVERITIES.get(content.severity, "error"),
            "timestamp": iso(content.created_at),
            "component": alone.account_id if alone else content.kind,
            "group": content.lane,
            "class": alone.rule if alone else content.kind,
            "custom_details": {
                "notification_id": content.notification_id,
                "message": message.text(),
            },
        },
    }
