"""Mailboxes of the team, asked by IMAP for headers alone: who wrote to whom, and when; never what."""

from __future__ import annotations

from gateway.pulls.mailbox.connection import MailboxConnection, MailboxSettings
from gateway.pulls.mailbox.messages import TOPICS, to_record
from gateway.pulls.pull import PullSource

__all__ = ["SOURCE"]

SOURCE = PullSource(
    name="mailbox",
    title="Mailbox (IMAP)",
    to_record=to_record,
    settings=MailboxSettings,
    streams=lambda settings: settings.folders,
    connect=MailboxConnection,
    topics=TOPICS,
)
