"""Mail of a notification: headers, text and HTML, from values alone."""

from __future__ import annotations

from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from schemas.records import AlertNotification
from sinks.notify.html import card
from sinks.notify.message import Act, Message

__all__ = ["encode_mail", "message_id"]

_HEAD = (
    '<!doctype html><html><head><meta charset="utf-8"><meta name="color-scheme" content="light"></head>'
    '<body style="margin:0;padding:16px;background:#f1f3f4">'
)
_TAIL = "</body></html>"
_POLICY = SMTP.clone(max_line_length=320)
"""Titles are not folded: RFC 5322 allows lines of 998 characters, and some programs show the fold."""


def encode_mail(
    content: AlertNotification, message: Message, sender: Address, to: Address, sent_at: int
) -> EmailMessage:
    """
    Return the mail of a notification.

    Its Message-ID follows from the notification's id, so a repetition can be recognised; mail programs show
    the mails of one alert as one conversation.
    """
    mail = EmailMessage(policy=_POLICY)
    mail["From"], mail["To"] = sender, to
    alone = content.alerts[0] if len(content.alerts) == 1 and content.kind != "digest" else None
    follows = alone is not None and alone.change != "opened"
    mail["Subject"] = f"Re: {message.title}" if follows else message.title
    mail["Date"] = datetime.fromtimestamp(sent_at / 1000, UTC)
    mail["Message-ID"] = message_id(content.notification_id, sender)
    if alone is not None:
        # The beginning of the conversation is no mail: the first mail may be any change of the alert.
        root = message_id(f"alert-{alone.alert_id}", sender)
        mail["References"] = root
        if follows:
            mail["In-Reply-To"] = root
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
    mail["X-Bellbuoy-Notification"] = content.notification_id
    if content.severity == "critical":
        mail["Importance"] = "high"
    mail.set_content("\n".join([message.text(), *_links(message.acts), ""]))
    mail.add_alternative(f"{_HEAD}{card(message)}{_TAIL}", subtype="html")
    return mail


def message_id(about: str, sender: Address) -> str:
    """Return the Message-ID that is always the same for this."""
    safe = "".join(character if character.isalnum() and character.isascii() else "-" for character in about)
    return f"<{safe}@{sender.domain}>"


def _links(acts: tuple[Act, ...]) -> list[str]:
    linked = [f"{act.words}: {act.url}" for act in acts if act.url]
    return ["", *linked] if linked else []
