"""
Endpoint of Slack's buttons: verifies that Slack sent the press, and writes the action.

Source: https://docs.slack.dev/authentication/verifying-requests-from-slack for the signature and the five
minutes, https://docs.slack.dev/reference/interaction-payloads/block_actions-payload for the body.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import msgspec
import structlog
from slack_sdk.signature import Clock, SignatureVerifier
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.actions.secrets import ActionSecrets
from gateway.actions.writing import alert_action, write_actions
from gateway.http.body import BodyReader
from gateway.http.errors import HttpError
from gateway.outbox.dispatch import Dispatcher
from schemas.identity.action_tokens import BadTokenError, read
from schemas.records import AlertAction

__all__ = ["SlackActions"]

log = structlog.get_logger(__name__)

_PATH = "/slack/actions"
_ACTION = "bellbuoy."


class _User(msgspec.Struct):
    id: str
    username: str = ""
    name: str = ""


class _Button(msgspec.Struct):
    action_id: str = ""
    value: str = ""


class _Interaction(msgspec.Struct):
    type: str
    user: _User | None = None
    actions: list[_Button] = []


class SlackActions:
    """
    The endpoint ``POST /slack/actions``, answered within Slack's three seconds.

    The answers are 200: the action is durable, or the body is of no button of ours; 401: the signature does
    not prove that Slack sent the body within the last five minutes; 400: the body or the button's value is
    not one of ours; 503: Kafka did not confirm, and Slack tells the person that it failed.
    """

    def __init__(
        self, secrets: ActionSecrets, bodies: BodyReader, dispatcher: Dispatcher, clock: Callable[[], int]
    ) -> None:
        self._secrets, self._bodies, self._dispatcher, self._clock = secrets, bodies, dispatcher, clock
        seconds = _Seconds(clock)
        self._verifiers = [SignatureVerifier(secret, seconds) for secret in secrets.slack]

    def routes(self) -> list[Route]:
        """Return the route, none without an app's secret."""
        return [Route(_PATH, self.post, methods=["POST"], name=_PATH)] if self._verifiers else []

    async def post(self, request: Request) -> Response:
        """Verify one body, and write the actions in it."""
        async with self._bodies.body_of(request, proven=False) as body:
            if not self._from_slack(request, body):
                log.warning("Slack action refused: its signature does not prove the sender.")
                raise HttpError(
                    401, "bad_signature", "the signature is not of a known app, or is older than 5 minutes"
                )
            actions = self._actions(body)
            if actions:
                await write_actions(self._dispatcher, actions)
        return Response(status_code=200)

    def _from_slack(self, request: Request, body: bytes) -> bool:
        headers: dict[str, Any] = dict(request.headers)
        try:
            return any(verifier.is_valid_request(body, headers) for verifier in self._verifiers)
        except (ValueError, TypeError):  # a time that is no number, a body or a signature that is no text
            return False

    def _actions(self, body: bytes) -> list[AlertAction]:
        try:
            texts = parse_qs(body.decode(), max_num_fields=20)
            payload = msgspec.json.decode(texts["payload"][0], type=_Interaction)
        except (KeyError, ValueError) as error:
            raise HttpError(400, "invalid", f"the body is no interaction of Slack: {error}") from error
        user = payload.user
        if payload.type != "block_actions" or user is None:
            return []
        now = self._clock()
        author = self._secrets.people.get(user.id) or f"{user.username or user.name or user.id} (Slack)"
        try:
            return [
                alert_action(read(button.value, self._secrets.slack, now), "slack", author, now)
                for button in payload.actions
                if button.action_id.startswith(_ACTION)
            ]
        except BadTokenError as error:
            raise HttpError(400, "bad_token", str(error)) from error


class _Seconds(Clock):
    """The gateway's clock as Slack's library reads it."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock

    def now(self) -> float:
        return self._clock() / 1000
