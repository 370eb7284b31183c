"""
Tokens of action links: what a person may do to an alert by a link in a message, signed, until a time.

A token is two parts in URL-safe base64 with a dot between them: the content as a msgpack array, and its
HMAC-SHA256.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

import msgspec

__all__ = ["ActionToken", "BadTokenError", "read", "sign"]

_MOST = 2_000
"""Most characters of a token that are looked at."""


class ActionToken(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Permission to do ``kind`` (as in ``AlertAction``) to an alert in the name of ``author``."""

    tenant: str
    account_id: str
    alert_id: str
    kind: str
    author: str
    expires_at: int


class BadTokenError(Exception):
    """The token gives no permission: it was not signed with a known secret, or its time is over."""


def sign(token: ActionToken, secret: str) -> str:
    """Return the token as text, signed."""
    content = msgspec.msgpack.encode(token)
    return f"{_encode(content)}.{_encode(_signature(content, secret))}"


def read(text: str, secrets: Iterable[str], now: int) -> ActionToken:
    """Return the token that one of the secrets signed and that is good at *now*; raise BadTokenError."""
    first, _, last = text[:_MOST].partition(".")
    try:
        content, signature = _decode(first), _decode(last)
    except (binascii.Error, ValueError):
        raise BadTokenError("the link is not whole: copy all of it") from None
    if not any(hmac.compare_digest(_signature(content, secret), signature) for secret in secrets):
        raise BadTokenError("the link was not made here, or its secret is not in use any more")
    try:
        token = msgspec.msgpack.decode(content, type=ActionToken)
    except msgspec.DecodeError:
        raise BadTokenError("the link is of another release") from None
    if now >= token.expires_at:
        raise BadTokenError("the link is too old: act in the console, or by the command")
    return token


def _signature(content: bytes, secret: str) -> bytes:
    return hmac.new(secret.encode(), b"bellbuoy action link\0" + content, hashlib.sha256).digest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
