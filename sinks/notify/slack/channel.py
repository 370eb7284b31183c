"""
Slack channel: an incoming webhook, or the Web API with a bot token.

Source: https://docs.slack.dev/reference/methods/chat.postMessage for the errors, and
https://docs.slack.dev/apis/web-api/rate-limits for the one message a second and ``Retry-After``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from sinks.notify.http import HttpEndpoint, retry_after
from sinks.notify.links import Links
from sinks.notify.message import compose
from sinks.notify.port import (
    DeliveryReceipt,
    Notification,
    PermanentError,
    TemporaryError,
    UnknownOutcomeError,
)
from sinks.notify.slack.blocks import blocks, fallback
from sinks.notify.slack.settings import SlackSettings

__all__ = ["SlackChannel"]

_NEW_MESSAGE = frozenset(
    {
        "message_not_found",
        "cant_update_message",
        "edit_window_closed",
        "channel_not_found",
        "thread_not_found",
        "cannot_reply_to_message",
        "restricted_action_thread_locked",
        "restricted_action_non_threadable_channel",
    }
)
"""Errors of a change, or of the reply to it, after which the message is posted anew."""
_NEVER = frozenset(
    {
        "channel_not_found",
        "is_archived",
        "user_not_found",
        "user_disabled",
        "cannot_dm_bot",
        "messages_tab_disabled",
        "invalid_blocks",
        "invalid_blocks_format",
        "msg_too_long",
        "msg_blocks_too_long",
        "no_text",
        "restricted_action",
    }
)
"""Errors about this address or this content; what is wrong with the app, its token or Slack may pass."""


class SlackChannel:
    """
    Channel of one workspace; addresses are ids or names of channels, and ids of users.

    It is not idempotent: Slack knows no key of ours. Each message has the notification's id in its metadata.
    """

    idempotent = False

    def __init__(
        self,
        settings: SlackSettings,
        name: str = "slack",
        links: Links | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._settings, self._links, self._clock = settings, links or Links(), clock
        self._runner = asyncio.Runner()
        self._webhook: HttpEndpoint | None = None
        self._client: AsyncWebClient | None = None
        if settings.webhook_url is not None:
            url = settings.webhook_url.get_secret_value()
            self._webhook = HttpEndpoint(url, settings.timeout_seconds, internal=settings.internal)
        elif settings.token is not None:
            self._client = AsyncWebClient(
                token=settings.token.get_secret_value(),
                base_url=settings.api_url,
                timeout=settings.timeout_seconds,  # type: ignore[arg-type]  # of aiohttp, in seconds
                retry_handlers=[],  # delivery tries again
            )

    @property
    def updates(self) -> bool:
        """Whether it changes the earlier message: with a token it does, an incoming webhook can't."""
        return self._webhook is None

    def check(self) -> None:
        """Ask who the token's app is, or whether the webhook's host answers; raise ChannelError."""
        if self._client is not None:
            self._call(self._client.auth_test)
        elif self._webhook is not None:
            self._webhook.options()

    def notify(self, notification: Notification, /) -> DeliveryReceipt:
        """Post the message, or change the earlier one; raise as the port says."""
        content, sent_at = notification.content, int(self._clock() * 1000)
        message = compose(content, self._links, sent_at)
        signing = self._settings.signing_secret
        secret = None if signing is None else signing.get_secret_value()
        body: dict[str, Any] = {
            "text": fallback(message),
            "mrkdwn": False,
            "blocks": blocks(content, message, secret, sent_at),
            "metadata": {
                "event_type": "bellbuoy_notification",
                "event_payload": {"notification_id": content.notification_id},
            },
            "unfurl_links": False,
        }
        if self._webhook is not None:
            self._webhook.post_json(body)
            return DeliveryReceipt()
        return self._post(notification, body)

    def close(self) -> None:
        """Close the connection's loop."""
        if self._webhook is not None:
            self._webhook.close()
        self._runner.close()

    def _post(self, notification: Notification, body: dict[str, Any]) -> DeliveryReceipt:
        assert self._client is not None
        channel, _, ts = (notification.earlier or "").partition("/")
        body = {name: value for name, value in body.items() if name != "mrkdwn"}
        if ts:
            try:
                receipt = _receipt(self._call(self._client.chat_update, channel=channel, ts=ts, **body))
                if notification.content.attention:
                    self._reply(channel, ts, body)
                return receipt  # noqa: TRY300 - the errors of both calls mean the same
            except _SlackError as error:
                if error.code not in _NEW_MESSAGE:
                    raise error.meant from error
        to = notification.address or self._settings.to
        try:
            return _receipt(self._call(self._client.chat_postMessage, channel=to, mrkdwn=False, **body))
        except _SlackError as error:
            raise error.meant from error

    def _reply(self, channel: str, ts: str, body: dict[str, Any]) -> None:
        """Answer a changed message in its thread and in the channel, because nobody notices the change."""
        assert self._client is not None
        reply = {name: body[name] for name in ("text", "metadata", "unfurl_links")}
        self._call(
            self._client.chat_postMessage,
            channel=channel,
            thread_ts=ts,
            reply_broadcast=True,
            mrkdwn=False,
            **reply,
        )

    def _call(self, method: Callable[..., Any], **fields: Any) -> Any:
        """Return Slack's answer; raise _SlackError for its errors, and TemporaryError without an answer."""
        try:
            return self._runner.run(_awaited(method, fields))
        except SlackApiError as error:
            raise _SlackError(error) from error
        except aiohttp.ClientConnectorError as error:
            raise TemporaryError(f"Slack can't be reached: {error.os_error}") from error
        except TimeoutError as error:
            seconds = self._settings.timeout_seconds
            raise UnknownOutcomeError(f"Slack didn't answer within {seconds:g} s") from error
        except aiohttp.ClientError as error:
            raise UnknownOutcomeError(f"Slack broke the connection: {type(error).__name__}") from error


class _SlackError(TemporaryError):
    """An error that Slack answered; ``meant`` is what it means for the notification."""

    def __init__(self, error: SlackApiError) -> None:
        response: Any = error.response
        data = response.data if isinstance(response.data, dict) else {}
        self.code = str(data.get("error") or response.status_code)
        wait = {name.lower(): value for name, value in response.headers.items()}.get("retry-after", "")
        super().__init__(f"Slack answered {self.code}", retry_after(str(wait)))

    @property
    def meant(self) -> PermanentError | TemporaryError:
        if self.code in _NEVER:
            return PermanentError(f"Slack refused this notification: {self.code}")
        return TemporaryError(str(self), self.retry_after)


async def _awaited(method: Callable[..., Any], fields: dict[str, Any]) -> Any:
    return await method(**fields)


def _receipt(answer: Any) -> DeliveryReceipt:
    return DeliveryReceipt(message_id=f"{answer['channel']}/{answer['ts']}")
