"""Inbox channel: one file a message, and a page of the newest, in a directory of this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from html import escape, unescape
from pathlib import Path

from schemas.identity.naming import named_by
from schemas.records import AlertNotification
from schemas.times import iso
from sinks.notify.html import card
from sinks.notify.inbox.settings import InboxSettings
from sinks.notify.links import Links
from sinks.notify.message import compose
from sinks.notify.port import DeliveryReceipt, Notification, TemporaryError

__all__ = ["InboxChannel"]

_PAGE = "index.html"
_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="3">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Bellbuoy inbox</title>
<style>body{margin:0 auto;max-width:660px;padding:24px 16px;background:#f1f3f4;color:#1f1f1f;
font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif}h1{font-size:22px;margin:0 0 4px}
p{margin:18px 0 6px;font-size:13px;color:#5f6368}</style></head><body><h1>Bellbuoy inbox</h1>
"""
_TAIL = "</body></html>\n"


class InboxChannel:
    """
    Channel into a directory.

    A message's file is named after the notification, so a repetition changes nothing, and the newest change
    of an alert takes the place of the message before it.
    """

    idempotent = True
    updates = True

    def __init__(
        self,
        settings: InboxSettings,
        name: str = "inbox",
        links: Links | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._folder, self._most = settings.folder, settings.most
        self._links, self._clock = links or Links(), clock

    def check(self) -> None:
        """Make the directory; raise TemporaryError where that can't be."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TemporaryError(f"{self._folder} can't be made: {error.strerror}") from error

    def notify(self, notification: Notification, /) -> DeliveryReceipt:
        """Write the message and the page; raise TemporaryError."""
        content = notification.content
        name = f"{content.created_at:015d}-{_safe(content.notification_id)}.html"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._write(name, _one(content, self._card(content)))
            if notification.earlier and notification.earlier != name:
                (self._folder / Path(notification.earlier).name).unlink(missing_ok=True)
            self._write(_PAGE, self._page())
        except OSError as error:
            raise TemporaryError(f"{self._folder} can't be written to: {error.strerror}") from error
        return DeliveryReceipt(message_id=name)

    def erase(self, texts: Iterable[str], /, *, dry_run: bool = False) -> int:
        """Delete the messages that name somebody by these texts; return how many; raise TemporaryError."""
        pattern = named_by(texts)
        try:
            files = [path for path in self._files() if pattern.search(unescape(path.read_text("utf-8")))]
            if not dry_run:
                for path in files:
                    path.unlink(missing_ok=True)
                if files:
                    self._write(_PAGE, self._page())
        except OSError as error:
            raise TemporaryError(f"{self._folder} can't be written to: {error.strerror}") from error
        return len(files)

    def close(self) -> None:
        """Do nothing; the files stay."""

    def _card(self, content: AlertNotification) -> str:
        return card(compose(content, self._links, int(self._clock() * 1000)))

    def _page(self) -> str:
        """Return the page of all messages, newest first, and delete those beyond the most."""
        files = self._files()
        for path in files[self._most :]:
            path.unlink(missing_ok=True)
        shown = files[: self._most]
        count = f"<p>{len(shown)} message{'' if len(shown) == 1 else 's'}, newest first</p>\n"
        return "".join([_HEAD, count, *(path.read_text(encoding="utf-8") for path in shown), _TAIL])

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*-*.html"), reverse=True)

    def _write(self, name: str, text: str) -> None:
        """Write a file whole: a reader sees the old one or the new one."""
        path = self._folder / name
        part = path.with_suffix(".part")
        part.write_text(text, encoding="utf-8", errors="replace")
        part.replace(path)


def _one(content: AlertNotification, shown: str) -> str:
    head = (
        f"{iso(content.created_at)[:16].replace('T', ' ')} · to {escape(content.recipient)} · {content.kind}"
    )
    return f"<p>{head}</p>\n{shown}\n"


def _safe(text: str) -> str:
    return "".join(character for character in text if character.isalnum() and character.isascii())[:64]
