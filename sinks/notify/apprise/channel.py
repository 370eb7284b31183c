"""
Apprise channel: sends plain text through Apprise (https://github.com/caronc/apprise).

Apprise says only whether a message was taken, not why it wasn't; so what fails is tried again for a day.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import apprise

from sinks.notify.apprise.settings import AppriseSettings
from sinks.notify.links import Links
from sinks.notify.message import compose
from sinks.notify.port import DeliveryReceipt, Notification, TemporaryError, UnknownOutcomeError
from sinks.port import SinkSettingsError

__all__ = ["AppriseChannel"]

_TYPES = {
    "critical": apprise.NotifyType.FAILURE,
    "warning": apprise.NotifyType.WARNING,
    "notice": apprise.NotifyType.INFO,
    "resolved": apprise.NotifyType.SUCCESS,
}


class AppriseChannel:
    """Channel of one address of Apprise; it is not idempotent, and can't change a message."""

    idempotent = False
    updates = False

    def __init__(
        self,
        settings: AppriseSettings,
        name: str = "apprise",
        links: Links | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._links, self._clock = links or Links(), clock
        self._seconds = settings.timeout_seconds
        self._service = apprise.Apprise(asset=apprise.AppriseAsset(app_id="Bellbuoy", async_mode=False))
        if not self._service.add(settings.url.get_secret_value()):
            raise SinkSettingsError(
                f"notify.channels.{name}.url is no address of a service that Apprise knows: "
                "https://github.com/caronc/apprise lists them"
            )

    def check(self) -> None:
        """Do nothing: Apprise can only send."""

    def notify(self, notification: Notification, /) -> DeliveryReceipt:
        """Send the text; raise TemporaryError."""
        content = notification.content
        message = compose(content, self._links, int(self._clock() * 1000))
        taken: list[bool] = []

        def send() -> None:
            taken.append(
                bool(
                    self._service.notify(
                        title=message.title,
                        body=message.text().partition("\n")[2],
                        body_format=apprise.NotifyFormat.TEXT,
                        notify_type=_TYPES.get(message.mood, apprise.NotifyType.INFO),
                        interpret_escapes=False,
                    )
                )
            )

        # Some services have no bound on the time of an answer: a thread that hangs is left behind.
        sending = threading.Thread(target=send, name=f"apprise-{self.name}", daemon=True)
        sending.start()
        sending.join(self._seconds)
        if sending.is_alive():
            raise UnknownOutcomeError(f"the service didn't answer within {self._seconds:g} s")
        if taken != [True]:
            raise TemporaryError("the service didn't take the message; Apprise doesn't say why")
        return DeliveryReceipt()

    def close(self) -> None:
        """Do nothing; a connection lasts for one message."""
