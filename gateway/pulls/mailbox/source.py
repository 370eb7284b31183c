"""Mailboxes as a source that is asked."""

from __future__ import annotations

from gateway.field_policy import FieldRules
from gateway.pulls.mailbox.connection import MailboxConnection
from gateway.pulls.mailbox.messages import TOPICS, to_record
from gateway.pulls.mailbox.settings import MailboxSettings
from gateway.pulls.pull import PullSource

__all__ = ["SOURCE"]

SOURCE = PullSource(
    name="mailbox",
    title="Mailbox (IMAP)",
    to_record=to_record,
    fields=FieldRules(
        needed=(
            "/id",
            "/direction",
            "/domain",
            "/at",
        ),
        kept=("/address",),
    ),
    settings=MailboxSettings,
    streams=lambda settings: settings.folders,
    connect=MailboxConnection,
    topics=TOPICS,
)
