"""Message as HTML that e-mail clients show: one table, styles on each element, no script, no image."""

from __future__ import annotations

from html import escape

from sinks.notify.message import Act, Line, Message

__all__ = ["card"]

_COLOURS = {"critical": "#b3261e", "warning": "#b25e00", "notice": "#2f5fa8", "resolved": "#1e7a46"}
_PLAIN = "#5f6368"
_FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"


def card(message: Message) -> str:
    """
    Return the message as an HTML fragment; every word of it is escaped.

    The severity stands in words as well as in the colour.
    """
    colour = _COLOURS.get(message.mood, _PLAIN)
    labelled = any(line.label and not line.listed for line in message.lines)
    rows = "".join(_row(line, labelled=labelled) for line in message.lines)
    buttons = "".join(_button(act, colour, first=not at) for at, act in enumerate(message.acts) if act.url)
    link = (
        f'<a href="{escape(message.url)}" style="color:{colour}">Open in the console</a> · '
        if message.url
        else ""
    )
    return (
        f'<table role="presentation" cellpadding="0" cellspacing="0" style="width:100%;max-width:620px;'
        f"border-collapse:collapse;{_FONT};font-size:15px;line-height:1.45;color:#1f1f1f;background:#ffffff;"
        f'border:1px solid #dadce0;border-left:5px solid {colour}">'
        f'<tr><td colspan="2" style="padding:16px 20px 2px"><span style="font-size:12px;font-weight:600;'
        f'letter-spacing:.04em;text-transform:uppercase;color:{colour}">{escape(message.mood)}</span></td></tr>'
        f'<tr><td colspan="2" dir="auto" style="padding:0 20px 10px;font-size:19px;font-weight:600">'
        f"{escape(message.title)}</td></tr>{rows}"
        + (f'<tr><td colspan="2" style="padding:12px 20px 2px">{buttons}</td></tr>' if buttons else "")
        + f'<tr><td colspan="2" style="padding:12px 20px 14px;font-size:12px;color:{_PLAIN}">'
        f"{link}Bellbuoy · {escape(message.reference)}</td></tr></table>"
    )


def _row(line: Line, *, labelled: bool) -> str:
    label, text = escape(line.label), escape(line.text)
    if line.url:
        label = f'<a href="{escape(line.url)}" style="color:#1f1f1f">{label}</a>'
    if line.listed:
        return f'<tr><td colspan="2" dir="auto" style="padding:4px 20px"><b>{label}</b><br>{text}</td></tr>'
    if not labelled:
        return f'<tr><td colspan="2" dir="auto" style="padding:2px 20px">{text}</td></tr>'
    return (
        f'<tr><td style="padding:2px 12px 2px 20px;width:48px;vertical-align:top;color:{_PLAIN}">{label}</td>'
        f'<td dir="auto" style="padding:2px 20px 2px 0">{text}</td></tr>'
    )


def _button(act: Act, colour: str, *, first: bool) -> str:
    look = f"background:{colour};color:#ffffff" if first else f"background:#ffffff;color:{colour}"
    return (
        f'<a href="{escape(act.url or "")}" style="display:inline-block;margin:0 8px 6px 0;padding:7px 14px;'
        f'border:1px solid {colour};border-radius:4px;font-size:14px;text-decoration:none;{look}">'
        f"{escape(act.words)}</a>"
    )
