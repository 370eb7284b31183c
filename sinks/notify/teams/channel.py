"""
Teams channel: posts Adaptive Cards to a workflow, which took the place of Office 365 connectors.

Source: https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sinks.notify.http import HttpEndpoint
from sinks.notify.links import Links
from sinks.notify.message import compose
from sinks.notify.port import DeliveryReceipt, Notification
from sinks.notify.teams.card import workflow_message
from sinks.notify.teams.settings import TeamsSettings

__all__ = ["TeamsChannel"]


class TeamsChannel:
    """
    Channel of one workflow.

    It is not idempotent, and a workflow can't change a card: what people must know of is a card of its own.
    """

    idempotent = False
    updates = False

    def __init__(
        self,
        settings: TeamsSettings,
        name: str = "teams",
        links: Links | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._links, self._clock = links or Links(), clock
        url = settings.url.get_secret_value()
        self._endpoint = HttpEndpoint(url, settings.timeout_seconds, internal=settings.internal)

    def check(self) -> None:
        """Connect and send an OPTIONS request; any answer will do."""
        self._endpoint.options()

    def notify(self, notification: Notification, /) -> DeliveryReceipt:
        """Post the card; raise as the port says."""
        message = compose(notification.content, self._links, int(self._clock() * 1000))
        self._endpoint.post_json(workflow_message(message))
        return DeliveryReceipt()

    def close(self) -> None:
        """Close the endpoint."""
        self._endpoint.close()
