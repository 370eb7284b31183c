"""HTTP server that receives webhooks, and verifies them with the vendor's library."""

from __future__ import annotations

import json
from typing import Any

from standardwebhooks import Webhook

from tests.support.http_receiver import ScriptedServer

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class WebhookReceiver(ScriptedServer):
    """
    A receiver of webhooks.

    ``attempts`` are the ids of all verified posts, ``inbox`` the payloads of those that were taken, by id: a
    repetition is dropped.
    """

    def __init__(self, secret: str = SECRET) -> None:
        super().__init__()
        self.attempts: list[str] = []
        self.inbox: dict[str, Any] = {}
        self.verifier = Webhook(secret)

    def arrived(self, handler: Any) -> None:
        """Verify a post, whatever becomes of it."""
        super().arrived(handler)
        if handler.command == "POST":
            self.verifier.verify(handler.body, dict(handler.headers))
            self.attempts.append(handler.headers["webhook-id"])

    def keep(self, handler: Any) -> None:
        """Take the payload of a verified post, unless its id is known."""
        if handler.command == "POST":
            self.inbox.setdefault(handler.headers["webhook-id"], json.loads(handler.body))
