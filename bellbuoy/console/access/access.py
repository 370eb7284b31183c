"""
Sessions: one-time links, signed cookies and the token against forged requests.

A link is a file in the data directory, named by the hash of the link's secret, and signing in removes it:
so a link signs in once, whoever made it. Who can read that directory is the one person who signs in so. The
session is a signed cookie, and the key that signs it is a file beside the links, so that a restart signs
nobody out. Each session has a file as well, named by the hash of its id: once that is removed it is over.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec
from itsdangerous import BadSignature, URLSafeTimedSerializer

__all__ = ["SESSION_SECONDS", "Access", "OpenSession", "Session"]

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


class OpenSession(msgspec.Struct, frozen=True):
    """
    A session that is open, as lists show it: whose, since when (UTC milliseconds), and in which browser.

    ``key`` is the hash of its id, by which it is ended.
    """

    person: str
    began: int
    agent: str = ""
    issuer: str = ""
    key: str = ""


class Access:
    """
    The keys, links and sessions of one console under the data directory, readable by its owner alone.

    ``issuer`` is the provider with which people sign in; without one they sign in by a link. A session of
    another way to sign in is none.
    """

    def __init__(self, data: Path, issuer: str = "") -> None:
        self._folder, self._issuer = data / "console", issuer
        self._links, self._sessions = self._folder / "links", self._folder / "sessions"

    def new_link(self) -> str:
        """Return the secret of a new link, which signs in once."""
        self._make()
        secret = secrets.token_urlsafe(24)
        (self._links / _digest(secret)).touch(mode=0o600)
        return secret

    def sign_in(self, secret: str, person: str, agent: str = "") -> str | None:
        """
        Return the cookie of a new session, ``None`` for a link that is unknown or used.

        ``agent`` is what the browser calls itself.
        """
        if self._issuer:
            return None
        try:
            (self._links / _digest(secret)).unlink()
        except FileNotFoundError:
            return None
        return self.cookie(person, (), agent)

    def cookie(self, person: str, values: tuple[str, ...], agent: str = "") -> str:
        """Return the cookie of a new session of a person whom the provider named."""
        one, began = secrets.token_urlsafe(12), int(time.time() * 1000)
        self._make()
        known = OpenSession(person, began, agent[:300], self._issuer)
        (self._sessions / _digest(one)).write_bytes(msgspec.json.encode(known))
        return self._serializer().dumps([one, person, self._issuer, values])

    def session(self, cookie: str | None) -> Session | None:
        """Return the session of a cookie; ``None`` for one that is missing, forged or too old."""
        if not cookie:
            return None
        try:
            one, person, issuer, values = self._serializer().loads(cookie, max_age=SESSION_SECONDS)
        except (BadSignature, TypeError, ValueError):
            return None
        session = Session(one, person, issuer, tuple(values))
        return session if issuer == self._issuer and self.is_open(session) else None

    def is_open(self, session: Session) -> bool:
        """Tell whether nobody has ended a session."""
        return (self._sessions / _digest(session.id)).exists()

    def sessions(self) -> list[OpenSession]:
        """Return the sessions that are open, the newest first; those too old are forgotten."""
        found, oldest = list[OpenSession](), (time.time() - SESSION_SECONDS) * 1000
        for path in self._sessions.glob("*"):
            with suppress(FileNotFoundError, msgspec.DecodeError):
                known = msgspec.json.decode(path.read_bytes(), type=OpenSession)
                if known.began < oldest:
                    path.unlink()
                elif known.issuer == self._issuer:
                    found.append(msgspec.structs.replace(known, key=path.name))
        return sorted(found, key=lambda one: -one.began)

    def end(self, key: str) -> None:
        """End the open session with this key."""
        for path in self._sessions.glob("*"):
            if path.name == key:
                path.unlink(missing_ok=True)

    def key_of(self, session: Session) -> str:
        """Return the key by which a session is ended."""
        return _digest(session.id)

    def token(self, session: Session) -> str:
        """Return the token that every changing request of a session carries."""
        return hmac.new(self._key(), b"forgery:" + session.id.encode(), hashlib.sha256).hexdigest()

    def is_token(self, session: Session, token: str) -> bool:
        """Tell whether this is the session's token."""
        return hmac.compare_digest(self.token(session).encode(), token.encode())

    def signing_key(self, use: str) -> str:
        """Return a key of its own for another use of signed cookies."""
        return hmac.new(self._key(), f"key:{use}".encode(), hashlib.sha256).hexdigest()

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
        for folder in (self._links, self._sessions):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
