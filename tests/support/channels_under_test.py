"""Channels with what the conformance suite needs: what a person sees, and faults of the service."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sinks.notify.apprise.channel import AppriseChannel
from sinks.notify.apprise.settings import AppriseSettings
from sinks.notify.email.channel import EmailChannel
from sinks.notify.email.settings import EmailSettings
from sinks.notify.inbox.channel import InboxChannel
from sinks.notify.inbox.settings import InboxSettings
from sinks.notify.memory import MemoryChannel
from sinks.notify.pagerduty.channel import PagerDutyChannel
from sinks.notify.pagerduty.settings import PagerDutySettings
from sinks.notify.port import (
    Channel,
    ChannelError,
    GoneError,
    PermanentError,
    TemporaryError,
    UnknownOutcomeError,
)
from sinks.notify.slack.channel import SlackChannel
from sinks.notify.slack.settings import SlackSettings
from sinks.notify.teams.channel import TeamsChannel
from sinks.notify.teams.settings import TeamsSettings
from sinks.notify.webhook.channel import WebhookChannel
from sinks.notify.webhook.settings import WebhookSettings
from tests.support import smtp_receiver
from tests.support.http_receiver import (
    HttpReceiver,
    ScriptedServer,
    SlackReceiver,
    answer,
    drip,
    hang,
    lose_the_answer,
    reset,
    slack_error,
)
from tests.support.notifications import LINKS
from tests.support.smtp_receiver import SmtpReceiver
from tests.support.webhook_receiver import SECRET, WebhookReceiver

PATIENCE = 20.0
"""Seconds after which a channel gives up a service that answers, on a busy machine too."""
IMPATIENCE = 0.5
"""The same where the service doesn't answer."""
_SILENT = ("hanging", "endless")


@dataclass
class ChannelUnderTest:
    """
    A channel, the ids of the notifications that a person sees of it, and how its service is made to fail.

    ``make`` makes the channel with its timeout in seconds. Each fault befalls the next attempt; ``away``
    lasts. ``shown`` is what of an id is seen.
    """

    make: Callable[[float], Channel]
    inbox: Callable[[], list[str]]
    faults: Mapping[str, Callable[[], object]]
    secrets: Sequence[str] = ()
    retry_after: float | None = 2.0
    shown: Callable[[str], str] = field(default=str)
    gone: type[PermanentError] = GoneError
    channel: Channel = field(init=False)

    def __post_init__(self) -> None:
        self.channel = self.make(PATIENCE)
        self._impatient = self.make(IMPATIENCE)

    def facing(self, fault: str) -> Channel:
        """Return the channel, one that soon gives up where this fault would keep it waiting."""
        return self._impatient if fault in _SILENT else self.channel

    def close(self) -> None:
        """Close the channel."""
        self.channel.close()
        self._impatient.close()


def memory(_: Path) -> Iterator[ChannelUnderTest]:
    channel = MemoryChannel()
    faults: Mapping[str, Callable[[], ChannelError]] = {
        "busy": lambda: TemporaryError("busy", 2.0),
        "failing": lambda: TemporaryError("failing"),
        "hanging": lambda: UnknownOutcomeError("hanging"),
        "endless": lambda: UnknownOutcomeError("endless"),
        "resetting": lambda: UnknownOutcomeError("resetting"),
        "answer lost": lambda: UnknownOutcomeError("answer lost"),
        "refusing": lambda: PermanentError("refusing"),
        "gone": lambda: GoneError("gone"),
    }

    def failing(make: Callable[[], ChannelError]) -> Callable[[], object]:
        return lambda: channel.faults.append(make())

    yield ChannelUnderTest(
        lambda _: channel,
        lambda: [each.dedup_key for each in channel.inbox],
        {name: failing(make) for name, make in faults.items()}
        | {"away": lambda: channel.faults.extend([TemporaryError("away")] * 9)},
    )


def webhook(_: Path) -> Iterator[ChannelUnderTest]:
    with WebhookReceiver() as receiver:
        settings = partial(WebhookSettings, url=receiver.url + "/hunter2", secret=SECRET, internal=True)
        yield ChannelUnderTest(
            lambda seconds: WebhookChannel(settings(timeout_seconds=seconds), links=LINKS),
            lambda: list(receiver.inbox),
            http_faults(receiver),
            secrets=(SECRET, "hunter2"),
        )


def http_faults(receiver: ScriptedServer) -> dict[str, Callable[[], object]]:
    """Return the faults of a service that is reached by HTTP."""
    behaviours = {
        "busy": answer(429, retry_after="2"),
        "failing": answer(500),
        "hanging": hang,
        "endless": drip,
        "resetting": reset,
        "answer lost": lose_the_answer,
        "refusing": answer(422),
        "gone": answer(410),
    }

    def failing(name: str) -> Callable[[], object]:
        return lambda: receiver.script.append(behaviours[name])

    return {name: failing(name) for name in behaviours} | {"away": receiver.close}


def email(_: Path) -> Iterator[ChannelUnderTest]:
    with SmtpReceiver() as receiver:
        settings = partial(
            EmailSettings,
            host="127.0.0.1",
            port=receiver.port,
            security="none",
            sender="Bellbuoy <bell@example.com>",
            to="cs@example.com",
        )
        script = receiver.script
        yield ChannelUnderTest(
            lambda seconds: EmailChannel(settings(timeout_seconds=seconds), links=LINKS),
            lambda: [mail["X-Bellbuoy-Notification"] for _, mail in receiver.inbox],
            {
                "busy": lambda: script.append(smtp_receiver.answer("451 4.7.1 try again later")),
                "failing": lambda: script.append(smtp_receiver.answer("421 4.3.0 no")),
                "hanging": lambda: script.append(receiver.hang()),
                "endless": lambda: script.append(receiver.drip()),
                "resetting": lambda: script.append(smtp_receiver.reset),
                "answer lost": lambda: script.append(receiver.lose_the_answer()),
                "refusing": lambda: script.append(smtp_receiver.answer("554 5.6.0 content refused")),
                "away": receiver.close,
            },
            retry_after=None,
        )


def inbox(folder: Path) -> Iterator[ChannelUnderTest]:
    target = folder / "inbox"

    def away() -> None:
        for path in [*target.glob("*")]:
            path.unlink()
        if target.is_dir():
            target.rmdir()
        target.write_text("a file where the directory should be")

    def ids() -> list[str]:
        return [path.stem.partition("-")[2] for path in sorted(target.glob("*-*.html"))]

    channel = InboxChannel(InboxSettings(folder=target), links=LINKS)
    yield ChannelUnderTest(lambda _: channel, ids, {"away": away})


def slack_webhook(_: Path) -> Iterator[ChannelUnderTest]:
    with HttpReceiver() as receiver:
        settings = partial(
            SlackSettings,
            webhook_url=f"{receiver.url}/hunter2",
            signing_secret="hunter3",
            internal=True,
        )
        yield ChannelUnderTest(
            lambda seconds: SlackChannel(settings(timeout_seconds=seconds), links=LINKS),
            lambda: [_slack_id(body) for body in receiver.taken],
            http_faults(receiver),
            secrets=("hunter2", "hunter3"),
        )


def slack(_: Path) -> Iterator[ChannelUnderTest]:
    with SlackReceiver("xoxb-hunter2") as receiver:
        settings = partial(SlackSettings, token="xoxb-hunter2", to="#customers", api_url=receiver.api_url)
        yield ChannelUnderTest(
            lambda seconds: SlackChannel(settings(timeout_seconds=seconds), links=LINKS),
            lambda: [_slack_id(body) for body in receiver.taken],
            {
                **http_faults(receiver),
                "refusing": lambda: receiver.script.append(slack_error("msg_too_long")),
                "gone": lambda: receiver.script.append(slack_error("is_archived")),
            },
            secrets=("hunter2",),
            gone=PermanentError,
        )


def teams(_: Path) -> Iterator[ChannelUnderTest]:
    with HttpReceiver() as receiver:
        settings = partial(TeamsSettings, url=f"{receiver.url}/hunter2", internal=True)
        yield ChannelUnderTest(
            lambda seconds: TeamsChannel(settings(timeout_seconds=seconds), links=LINKS),
            lambda: [_last_word(body["attachments"][0]["content"]["body"][-1]) for body in receiver.taken],
            http_faults(receiver),
            secrets=("hunter2",),
            shown=lambda key: key[:8],
        )


def pagerduty(_: Path) -> Iterator[ChannelUnderTest]:
    with HttpReceiver() as receiver:
        settings = partial(PagerDutySettings, routing_key="hunter2", url=receiver.url, internal=True)
        receiver.key = lambda body: (body["dedup_key"], body["event_action"], _details(body))
        yield ChannelUnderTest(
            lambda seconds: PagerDutyChannel(settings(timeout_seconds=seconds), links=LINKS),
            lambda: [_details(body) for body in receiver.taken],
            http_faults(receiver),
            secrets=("hunter2",),
        )


def apprise(_: Path) -> Iterator[ChannelUnderTest]:
    with HttpReceiver() as receiver:
        settings = partial(AppriseSettings, url=f"json://127.0.0.1:{receiver.port}/hunter2")
        # Apprise says nothing of the cause, so all that fails is tried again.
        faults = {name: http_faults(receiver)[name] for name in ("busy", "failing", "hanging")}
        yield ChannelUnderTest(
            lambda seconds: AppriseChannel(settings(timeout_seconds=seconds), links=LINKS),
            lambda: [body["message"].rpartition("(")[2].rstrip(")") for body in receiver.taken],
            faults,
            secrets=("hunter2",),
            retry_after=None,
            shown=lambda key: key[:8],
        )


def _slack_id(body: Any) -> str:
    return str(body["metadata"]["event_payload"]["notification_id"])


def _last_word(block: Any) -> str:
    return str(block["inlines"][-1]["text"].rpartition(" ")[2])


def _details(body: Any) -> str:
    return str(body["payload"]["custom_details"]["notification_id"])


CHANNELS = [memory, webhook, email, inbox, slack_webhook, slack, teams, pagerduty, apprise]
"""Every channel; a new one is a function above and a line here."""
