"""Notification channels of a deployment: as sinks that delivery writes to, and tried with a sample."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from functools import partial

from bellbuoy.errors import ALL_EXTRAS, ConfigError
from bellbuoy.settings import Settings
from bellbuoy.times import now
from schemas.suggestions import suggestion
from sinks.notify.channel_settings import ChannelSettings
from sinks.notify.delivery import DeliveryStore, reopen
from sinks.notify.port import Channel, ChannelError, Notification, PermanentError, TemporaryError
from sinks.notify.sample import sample
from sinks.notify.sink import ChannelSink

__all__ = ["ChannelTest", "channel_sinks", "try_channel"]


@dataclass(frozen=True, slots=True)
class ChannelTest:
    """
    The answer of a channel's service to a sample.

    ``error`` is ``None`` when the service took it; ``passing`` says that a later attempt may succeed.
    ``reopened`` tells that the address had been closed for good, and is sent to again.
    """

    channel: str
    type: str
    address: str
    notification_id: str
    seconds: float
    message_id: str | None = None
    error: str | None = None
    passing: bool = False
    reopened: bool = False


def channel_sinks(settings: Settings) -> list[ChannelSink]:
    """Return every channel of the settings as a sink, not yet open."""
    return [_sink(settings, name) for name in settings.notify.channels]


def try_channel(settings: Settings, name: str, kind: str, tenant: str, recipient: str) -> ChannelTest:
    """
    Send a sample of this kind through a channel, whatever the channel's filters, and say what came back.

    Raises ConfigError for a channel that there is not, or whose extra is not installed.
    """
    if name not in settings.notify.channels:
        fix = suggestion(name, list(settings.notify.channels), "`bellbuoy notify list`")
        raise ConfigError(f"notify.channels has no {name}: {fix}")
    section = settings.notify.channels[name]
    content = sample(kind, tenant, recipient, uuid.uuid4().hex, now())
    address = settings.notify.address(name, content) or ""
    channel = _channel(settings, name)
    began = time.monotonic()
    message_id, error, passing = None, None, False
    try:
        message_id = channel.notify(Notification(content=content, address=address)).message_id
    except ChannelError as fault:
        error, passing = str(fault), not isinstance(fault, PermanentError)
    finally:
        channel.close()
    return ChannelTest(
        channel=name,
        type=section.type,
        address=address,
        notification_id=content.notification_id,
        seconds=round(time.monotonic() - began, 3),
        message_id=message_id,
        error=error,
        passing=passing,
        reopened=error is None and _reopened(settings, name, address),
    )


def _sink(settings: Settings, name: str) -> ChannelSink:
    return ChannelSink(
        f"notify-{name}",
        partial(_channel, settings, name),
        partial(_store, settings, name),
        partial(settings.notify.route, name),
        now,
    )


def _channel(settings: Settings, name: str) -> Channel:
    section: ChannelSettings = settings.notify.channels[name]
    try:
        return section.channel(name, settings.notify.links(settings.gateway.public_url))
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the channel {name} needs {error.name} (the extra {section.extra}): {ALL_EXTRAS}, "
            f"or remove notify.channels.{name}"
        ) from error


def _store(settings: Settings, name: str) -> DeliveryStore:
    from streams.delivery.deliveries import KafkaDeliveryStore  # noqa: PLC0415

    return KafkaDeliveryStore(settings.kafka.connection(), settings.kafka.topics(), name)


def _reopened(settings: Settings, name: str, address: str) -> bool:
    """Open an address again that was closed for good, where Kafka can be asked; return whether it was."""
    # Whoever only reads a sink loads no client of Kafka.
    from confluent_kafka import KafkaException  # noqa: PLC0415
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415

    topic = settings.kafka.topics().name("alert.deliveries")
    try:
        admin = AdminClient({**settings.kafka.connection().librdkafka(), "log_level": 0})
        if topic not in admin.list_topics(timeout=2.0).topics:
            return False
        store = _store(settings, name)
        try:
            store.catch_up()
            return reopen(store, address, now())
        finally:
            store.close()
    except (KafkaException, TemporaryError):  # a channel can be tried before there is a Kafka
        return False
