"""
Adaptive Card of a message, from values alone.

Texts stand in ``TextRun``, in which Markdown is not supported (https://adaptivecards.io/explorer/TextRun.html),
so no name can make a link or a mention.
"""

from __future__ import annotations

from typing import Any

from sinks.notify.message import Line, Message

__all__ = ["adaptive_card", "workflow_message"]

_COLOURS = {"critical": "Attention", "warning": "Warning", "notice": "Accent", "resolved": "Good"}
_LABEL_WIDTH = "58px"


def workflow_message(message: Message) -> dict[str, Any]:
    """Return what a workflow "When a Teams webhook request is received" takes."""
    content_type = "application/vnd.microsoft.card.adaptive"
    return {
        "type": "message",
        "attachments": [{"contentType": content_type, "contentUrl": None, "content": adaptive_card(message)}],
    }


def adaptive_card(message: Message) -> dict[str, Any]:
    """Return the message as an Adaptive Card 1.5."""
    colour = _COLOURS.get(message.mood, "Default")
    labelled = any(line.label and not line.listed for line in message.lines)
    urls = [(act.words, act.url) for act in message.acts] + [("Open in the console", message.url)]
    actions = [{"type": "Action.OpenUrl", "title": words, "url": url} for words, url in urls if url]
    return {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.5",
        "msteams": {"width": "Full"},
        "body": [
            _text(_run(message.mood.upper(), color=colour, weight="Bolder", size="Small")),
            _text(_run(message.title, size="Large", weight="Bolder"), spacing="None"),
            *(_row(line, labelled=labelled) for line in message.lines),
            _text(_run(f"Bellbuoy · {message.reference}", isSubtle=True, size="Small")),
        ],
        **({"actions": actions} if actions else {}),
    }


def _row(line: Line, *, labelled: bool) -> dict[str, Any]:
    if line.listed:
        select = {"selectAction": {"type": "Action.OpenUrl", "url": line.url}} if line.url else {}
        return _text(_run(line.label, weight="Bolder", **select), _run(f"  {line.text}"), spacing="Small")
    if not labelled:
        return _text(_run(line.text), spacing="Small")
    label = [_text(_run(line.label, isSubtle=True))] if line.label else []
    return {
        "type": "ColumnSet",
        "spacing": "Small",
        "columns": [
            {"type": "Column", "width": _LABEL_WIDTH, "items": label},
            {"type": "Column", "width": "stretch", "items": [_text(_run(line.text))]},
        ],
    }


def _text(*runs: dict[str, Any], **looks: Any) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": list(runs), **looks}


def _run(text: str, **looks: Any) -> dict[str, Any]:
    return {"type": "TextRun", "text": text, **looks}
