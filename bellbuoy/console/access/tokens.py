"""Tokens of programs that ask the JSON API: made here, kept as hashes in the settings."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import NamedTuple

from bellbuoy.console.access.access import Session
from bellbuoy.console.access.rights import Rights, of_token
from bellbuoy.console_settings import TokenSettings

__all__ = ["PREFIX", "NewToken", "Tokens", "new_token"]

PREFIX = "bbt_"
"""How every token begins, so that one that was published by mistake is found."""


class NewToken(NamedTuple):
    """A new token, and the hash that the settings keep of it."""

    token: str
    sha256: str


def new_token() -> NewToken:
    """Return a new token of 256 random bits, for which a plain hash is enough: none can be guessed."""
    token = PREFIX + secrets.token_urlsafe(32)
    return NewToken(token, _digest(token))


class Tokens:
    """The tokens that a console knows, with what they allow; ``tenants`` are those that it shows."""

    def __init__(self, settings: Mapping[str, TokenSettings], tenants: tuple[str, ...]) -> None:
        self._known = {
            token.sha256: (Session("", f"token:{name}"), of_token(token, tenants))
            for name, token in settings.items()
        }

    def caller(self, authorization: str | None) -> tuple[Session, Rights] | None:
        """Return who calls with a header, and what they may do; ``None`` for a token that is not known."""
        kind, _, token = (authorization or "").partition(" ")
        return self._known.get(_digest(token.strip())) if kind.lower() == "bearer" else None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
