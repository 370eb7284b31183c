"""
The connection to a mailbox: reads headers in the order of UIDs, and marks nothing as read.

A UID is never used twice while the folder's UIDVALIDITY stays. Where that changed, the folder is read again
from the day of the last message; messages that were told have their ids, and count once.

Source: RFC 9051, sections 2.3.1.1 (UIDs), 6.3.3 (EXAMINE) and 6.4.5 (FETCH).
"""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NoReturn

from gateway.pulls.mailbox.messages import HEADERS, items_of
from gateway.pulls.mailbox.settings import MailboxSettings
from gateway.pulls.pull import HISTORY_MS, Cursor, Page, PullError, PullRefusedError
from schemas.times import DAY

__all__ = ["MailboxConnection"]

_PAGE = 200
_FETCHED = f"(UID INTERNALDATE BODY.PEEK[HEADER.FIELDS ({' '.join(HEADERS)})])"
_UID = re.compile(rb"\bUID (\d+)")
_INTERNAL_DATE = re.compile(rb'INTERNALDATE "([^"]+)"')
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class MailboxConnection:
    """A connection by IMAP, opened by the first page."""

    def __init__(self, settings: MailboxSettings) -> None:
        self._settings = settings
        self._imap: imaplib.IMAP4 | None = None

    def close(self) -> None:
        """Log out."""
        imap, self._imap = self._imap, None
        if imap is not None:
            with suppress(imaplib.IMAP4.error, OSError):
                imap.logout()

    def page(self, folder: str, cursor: Cursor, now: int, /) -> Page:
        """
        Return the next messages of a folder.

        The cursor is ``validity``, the folder's UIDVALIDITY; ``uid``, that of the last message; and ``day``,
        the time from which a folder that was made anew is read.
        """
        try:
            return self._page(folder, cursor, now)
        except imaplib.IMAP4.abort as error:
            self._fail(f"{self._settings.host} closed the connection: {error}", error)
        except imaplib.IMAP4.error as error:
            self._fail(f"{self._settings.host} refused {folder!r}: {error}", error)
        except OSError as error:
            self._fail(f"{self._settings.host} doesn't answer: {error}", error)

    def _page(self, folder: str, cursor: Cursor, now: int) -> Page:
        imap = self._imap or self._open()
        validity = self._examine(imap, folder)
        since = cursor.get("day", now - HISTORY_MS)
        goes_on = cursor.get("validity") == validity
        last = cursor.get("uid", 0) if goes_on else 0
        # Once the folder is known, UIDs alone say what is new.
        criteria = ("UID", f"{last + 1}:*") if last else ("SINCE", _imap_day(since))
        found = [uid for uid in _numbers(imap.uid("SEARCH", *criteria)) if uid > last]
        uids = sorted(found)[:_PAGE]
        recent = max(since, now - DAY)
        if not uids:
            return Page((), {"validity": validity, "uid": last, "day": recent}, more=False)
        items = [
            item
            for raw, arrived_at in _headers(imap.uid("FETCH", ",".join(map(str, uids)), _FETCHED), set(uids))
            for item in items_of(raw, arrived_at, self._settings.own_domains)
        ]
        more = len(found) > len(uids)
        return Page(items, {"validity": validity, "uid": uids[-1], "day": since if more else recent}, more)

    def _open(self) -> imaplib.IMAP4:
        settings = self._settings
        if settings.tls:
            imap: imaplib.IMAP4 = imaplib.IMAP4_SSL(
                settings.host,
                settings.port,
                ssl_context=ssl.create_default_context(),
                timeout=settings.timeout_seconds,
            )
        else:
            imap = imaplib.IMAP4(settings.host, settings.port, timeout=settings.timeout_seconds)
        try:
            imap.login(settings.user, settings.password.get_secret_value())
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            imap.shutdown()
            raise PullRefusedError(
                f"{settings.host} refuses the user {settings.user!r}: {error}; correct user and password"
            ) from error
        self._imap = imap
        return imap

    def _examine(self, imap: imaplib.IMAP4, folder: str) -> int:
        quoted = '"' + folder.replace("\\", "\\\\").replace('"', '\\"') + '"'
        status, answer = imap.select(quoted, readonly=True)
        if status != "OK":
            raise PullRefusedError(
                f"{self._settings.host} has no folder {folder!r}: {_text(answer)}; correct `folders`"
            )
        _, said = imap.response("UIDVALIDITY")
        if not said or said[0] is None:
            raise PullError(f"{self._settings.host} says no UIDVALIDITY of {folder!r}")
        return int(said[0])

    def _fail(self, message: str, error: Exception) -> NoReturn:
        self.close()
        raise PullError(message) from error


def _numbers(answer: tuple[str, Any]) -> list[int]:
    status, data = answer
    if status != "OK":
        raise PullError(f"the search was refused: {_text(data)}")
    return [int(number) for part in data if part for number in part.split()]


def _headers(answer: tuple[str, Any], wanted: set[int]) -> Iterator[tuple[bytes, int]]:
    """Yield the headers of each message and the server's time of it, UTC milliseconds."""
    status, data = answer
    if status != "OK":
        raise PullError(f"the fetch was refused: {_text(data)}")
    for index, part in enumerate(data):
        if not isinstance(part, tuple):
            continue  # the end of a message's answer, or a change of another message
        head, raw = part
        following = data[index + 1] if index + 1 < len(data) else b""
        about = head + b" " + (following if isinstance(following, bytes) else b"")
        uid, date = _UID.search(about), _INTERNAL_DATE.search(about)
        if uid is None or date is None:
            raise PullError("the answer has a message without UID or INTERNALDATE")
        if int(uid[1]) in wanted:
            yield raw, _milliseconds(date[1].decode("ascii", "replace"))


def _milliseconds(date: str) -> int:
    try:
        return round(datetime.strptime(date.strip(), "%d-%b-%Y %H:%M:%S %z").timestamp() * 1000)
    except ValueError:
        raise PullError(f"no date: {date!r}") from None


def _imap_day(at: int) -> str:
    """Return a day as IMAP writes it, of which a server in any zone says that it is not later."""
    day = datetime.fromtimestamp((at - DAY) / 1000, UTC)
    return f"{day.day:02d}-{_MONTHS[day.month - 1]}-{day.year}"


def _text(answer: Any) -> str:
    return b" ".join(part for part in answer if isinstance(part, bytes)).decode(errors="replace")
