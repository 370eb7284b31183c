"""
Sessions: one-time links, signed cookies and the token against forged requests.

A link is a file in the data directory, named by the hash of the link's secret, and signing in removes it:
so a link signs in once, whoever made it. Who can read that directory is the one person who signs in so. The
session is a signed cookie, and the key that signs it is a file beside the links, so that a restart signs
nobody out.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import NamedTuple

from itsdangerous import BadSignature, URLSafeTimedSerializer

__all__ = ["SESSION_SECONDS", "Access", "Session"]

SESSION_SECONDS = 12 * 3_600
"""How long a session lasts."""


class Session(NamedTuple):
    """
    A signed-in person: the name that acts carry, and what the token against forged requests rests on.

    ``issuer`` is the provider that named them, and ``values`` are those of the claim that gives them
    rights; both are empty for a session by a link.
    """

    id: str
    person: str
    issuer: str = ""
    values: tuple[str, ...] = ()


class Access:
    """
    The keys and links of one console under the data directory, readable by its owner alone.

    ``issuer`` is the provider with which people sign in; without one they sign in by a link. A session of
    another way to sign in is none.
    """

    def __init__(self, data: Path, issuer: str = "") -> None:
        self._folder, self._issuer = data / "console", issuer
        self._links = self._folder / "links"

    def new_link(self) -> str:
        """Return the secret of a new link, which signs in once."""
        self._make()
        secret = secrets.token_urlsafe(24)
        (self._links / _digest(secret)).touch(mode=0o600)
        return secret

    def sign_in(self, secret: str, person: str) -> str | None:
        """Return the cookie of a new session, ``None`` for a link that is unknown or used."""
        if self._issuer:
            return None
        try:
            (self._links / _digest(secret)).unlink()
        except FileNotFoundError:
            return None
        return self._cookie(person, ())

    def cookie(self, person: str, values: tuple[str, ...]) -> str:
        """Return the cookie of a new session of a person whom the provider named."""
        return self._cookie(person, values)

    def session(self, cookie: str | None) -> Session | None:
        """Return the session of a cookie; ``None`` for one that is missing, forged or too old."""
        if not cookie:
            return None
        try:
            one, person, issuer, values = self._serializer().loads(cookie, max_age=SESSION_SECONDS)
        except (BadSignature, TypeError, ValueError):
            return None
        return Session(one, person, issuer, tuple(values)) if issuer == self._issuer else None

    def token(self, session: Session) -> str:
        """Return the token that every changing request of a session carries."""
        return hmac.new(self._key(), b"forgery:" + session.id.encode(), hashlib.sha256).hexdigest()

    def is_token(self, session: Session, token: str) -> bool:
        """Tell whether this is the session's token."""
        return hmac.compare_digest(self.token(session).encode(), token.encode())

    def signing_key(self, use: str) -> str:
        """Return a key of its own for another use of signed cookies."""
        return hmac.new(self._key(), f"key:{use}".encode(), hashlib.sha256).hexdigest()

    def _cookie(self, person: str, values: tuple[str, ...]) -> str:
        return self._serializer().dumps([secrets.token_urlsafe(12), person, self._issuer, values])

    def _serializer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self._key(), salt="session")

    def _key(self) -> bytes:
        path = self._folder / "key"
        try:
            return path.read_bytes()
        except FileNotFoundError:
            self._make()
            made = self._folder / f"key.{os.getpid()}"
            made.write_bytes(secrets.token_bytes(32))
            made.chmod(0o600)
            try:
                os.link(made, path)  # of two at once one wins, and both use its key
            except FileExistsError:
                pass
            finally:
                made.unlink()
            return path.read_bytes()

    def _make(self) -> None:
        self._links.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
