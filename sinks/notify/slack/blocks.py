"""
Blocks of a Slack message, from values alone.

Texts of others stand in ``rich_text`` and ``plain_text``, which Slack doesn't parse: neither ``<!channel>``
nor ``*`` means anything there (https://docs.slack.dev/reference/block-kit/blocks/rich-text-block).
"""

from __future__ import annotations

import re
from typing import Any

from schemas.identity.action_tokens import ActionToken, sign
from schemas.records import AlertNotification
from schemas.times import DAY
from sinks.notify.links import LINK_DAYS
from sinks.notify.message import Line, Message

__all__ = ["ACTION", "blocks", "escape", "fallback"]

ACTION = "bellbuoy."
"""Beginning of the ids of all buttons; the kind of the action follows."""

_MOST_HEADER = 150
_MENTION = re.compile(r"<(?=[!@#])")
_ICONS = {"critical": "🔴", "warning": "🟠", "notice": "🔵", "resolved": "🟢"}
_ASSIGN = ("assigned", "Assign to me")


def escape(text: str) -> str:
    """Return a text for a field that Slack parses, with what it parses written as entities."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def fallback(message: Message) -> str:
    """Return the text of what a device shows of the message before it is opened."""
    return escape(f"{_ICONS.get(message.mood, '')} {message.title}".strip())


def blocks(
    content: AlertNotification, message: Message, signing_secret: str | None, sent_at: int
) -> list[dict[str, Any]]:
    """Return the message as blocks; with a signing secret an open alert has buttons."""
    title = f"{_ICONS.get(message.mood, '')} {message.title}".strip()
    # One section: Slack shows several without a break between them, and some programs with one.
    elements = [part for line in message.lines for part in _parts(line, last=line is message.lines[-1])]
    made: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _inert(_cut(title)), "emoji": False}}
    ]
    if elements:
        made.append({"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}]})
    if message.acts and signing_secret is not None:
        made.append({"type": "actions", "elements": _buttons(content, message, signing_secret, sent_at)})
    made.append({"type": "rich_text", "elements": [_foot(message)]})
    return made


def _parts(line: Line, *, last: bool) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    if line.label and line.url:
        parts.append({"type": "link", "url": line.url, "text": line.label, "style": {"bold": True}})
    elif line.label:
        parts.append({"type": "text", "text": line.label, "style": {"bold": True}})
    text = f"  {line.text}" if line.label else line.text
    parts.append({"type": "text", "text": text if last else f"{text}\n"})
    return parts


def _foot(message: Message) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    if message.url:
        parts.append({"type": "link", "url": message.url, "text": "Open in the console"})
    sign_off = f" · Bellbuoy · {message.reference}" if parts else f"Bellbuoy · {message.reference}"
    return {"type": "rich_text_section", "elements": [*parts, {"type": "text", "text": sign_off}]}


def _buttons(content: AlertNotification, message: Message, secret: str, sent_at: int) -> list[dict[str, Any]]:
    alert = content.alerts[0]
    kinds = [(act.kind, act.words) for act in message.acts]
    at = 1 if kinds and kinds[0][0] == "acknowledged" else 0
    made = []
    for kind, words in [*kinds[:at], _ASSIGN, *kinds[at:]]:
        token = ActionToken(
            tenant=alert.tenant,
            account_id=alert.account_id,
            alert_id=alert.alert_id,
            kind=kind,
            author="",  # whoever presses it: Slack says who that is
            expires_at=sent_at + LINK_DAYS * DAY,
        )
        made.append(
            {
                "type": "button",
                "action_id": f"{ACTION}{kind}",
                "text": {"type": "plain_text", "text": words},
                "value": sign(token, secret),
            }
            | ({"style": "primary"} if kind == "acknowledged" else {})
        )
    return made


def _inert(text: str) -> str:
    """Return a title without what is a mention to a program that parses titles, which Slack does not."""
    return _MENTION.sub("\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}", text)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_HEADER else text[: _MOST_HEADER - 1] + "…"
