"""Authentication by key: which tenant a request comes from, what its sender may send, and how much of it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from gateway.http.errors import HttpError
from gateway.http.sender import Sender
from gateway.keys.quota import Quota
from gateway.metrics import KEY_REFUSALS, key_events
from schemas.identity.write_keys import KeyScope, WriteKey, digest_of

__all__ = ["ApiKeys", "Grant"]

_SETTINGS_KEY = "settings"
"""The name, in metrics, of all keys of a tenant that stand in the settings."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Rights of a key: its tenant and scope, the sources and topics (empty: all), and its quota."""

    tenant: str
    scope: KeyScope
    name: str = _SETTINGS_KEY
    sources: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    quota: Quota = field(default_factory=Quota, compare=False)

    def sender(self, source: str, received_at: int) -> Sender:
        """Return the sender of a request with this key; the time is in UTC milliseconds."""
        return Sender(self.tenant, source, received_at, "" if self.name == _SETTINGS_KEY else self.name)

    def check_source(self, source: str) -> None:
        """Raise HttpError (403) where the key may not send by a source's routes."""
        if self.sources and source not in self.sources:
            self._refuse("source", f"by {source}: it may by {', '.join(sorted(self.sources))}")

    def check_topic(self, topic: str) -> None:
        """Raise HttpError (403) where the key may not send events of a topic."""
        if self.topics and topic not in self.topics:
            self._refuse("topic", f"events to {topic}: it may to {', '.join(sorted(self.topics))}")

    def check_quota(self, now: int) -> None:
        """Raise HttpError (429) while the key's budget is spent."""
        seconds = self.quota.wait(now)
        if seconds:
            KEY_REFUSALS.labels(self.tenant, self.name, "quota").inc()
            raise HttpError(
                429,
                "quota",
                f"the key {self.name!r} has sent all that it may for now ({_in_words(self.quota)}): "
                "send the same events again after Retry-After seconds",
                retry_after=seconds,
                tenant=self.tenant,
            )

    def charge(self, events: int, now: int) -> None:
        """Count accepted events, and take them from the key's budget."""
        key_events(self.tenant, self.name).inc(events)
        self.quota.charge(events, now)

    def _refuse(self, reason: str, what: str) -> None:
        KEY_REFUSALS.labels(self.tenant, self.name, reason).inc()
        message = f"the key {self.name!r} may not send {what} (`bellbuoy keys list`)"
        raise HttpError(403, "missing_scope", message, tenant=self.tenant)


class ApiKeys:
    """
    Table from key to grant: the keys of the settings, by scope and tenant, and those of ``replace``.

    A key is looked up by its digest, so the time that a look-up takes tells nothing of a guessed key.
    ``clock`` returns UTC milliseconds. ``complete`` tells whether every key is known: until then an unknown
    one is asked to come again.
    """

    def __init__(
        self, settings: Mapping[KeyScope, Mapping[str, Iterable[str]]], clock: Callable[[], int]
    ) -> None:
        self._of_settings = {
            digest_of(key): Grant(tenant, scope)
            for scope, tenants in settings.items()
            for tenant, own in tenants.items()
            for key in own
        }
        self._made: dict[bytes, tuple[WriteKey, Grant]] = {}
        self._clock = clock
        self.complete = True

    def replace(self, keys: Iterable[WriteKey]) -> None:
        """
        Know these keys from now on, beside those of the settings; a quota goes on where its key does.

        Any thread may call it.
        """
        made: dict[bytes, tuple[WriteKey, Grant]] = {}
        for key in keys:
            known = self._made.get(key.digest)
            made[key.digest] = known if known is not None and known[0] == key else (key, _grant(key))
        self._made = made
        self.complete = True

    def from_header(self, authorization: str | None, source: str) -> Grant | None:
        """
        Return the grant of a Basic (key as user name, no password) or Bearer header.

        ``None`` where the header names no key: the body may then. Raises HttpError as ``grant`` does.
        """
        key = _key_in(authorization)
        return self.grant(key, source) if key else None

    def grant(self, key: object, source: str) -> Grant:
        """
        Return the grant of a key with which events come by a source's routes.

        Raises HttpError as ``known`` does, 403 where it may not, and 429 while its budget is spent.
        """
        grant = self.known(key)
        grant.check_source(source)
        grant.check_quota(self._clock())
        return grant

    def known(self, key: object) -> Grant:
        """
        Return the grant of a key, whatever its budget.

        Raises HttpError: 401 for an unknown key, an expired or revoked one, and for what is no text; 503
        while the keys are still being read.
        """
        grant = self._find(key) if isinstance(key, str) else None
        if grant is None:
            if not self.complete:
                raise HttpError(503, "keys_unread", "the keys are still being read: try again", retry_after=1)
            raise HttpError(
                401,
                "unauthorized",
                "unknown key: send one of the tenant's keys as Basic auth user name or as Bearer token, "
                "or on the tracking routes as writeKey in the body",
            )
        return grant

    def check_public(self, key: str) -> None:
        """
        Check the key of a page or an app, which is in an address.

        Raises HttpError: 404 for an unknown key, 403 for a server key, and 503 as ``known`` does.
        """
        try:
            grant = self.known(key)
        except HttpError as error:
            if error.status != 401:
                raise
            raise HttpError(404, "unknown_key", "no tenant has this write key: see the settings") from error
        if grant.scope != "track":
            raise HttpError(
                403,
                "public_server_key",
                "this is a server key, and an SDK in a page or an app shows its key to anyone: "
                f"use one of gateway.tenants.{grant.tenant}.write_keys, and replace this server key",
            )

    def server_grant(self, authorization: str | None, source: str = "") -> Grant:
        """
        Return the grant of the server key in a header, for events by a source's routes or for watching.

        Raises HttpError as ``grant`` does, and 403 for a write key.
        """
        key = _key_in(authorization)
        grant = self.grant(key, source) if source else self.known(key)
        if grant.scope != "server":
            raise HttpError(
                403,
                "missing_scope",
                "typed events need the scope `server`, and this key has the scope `track` only: send one of "
                f"gateway.tenants.{grant.tenant}.server_keys, or one of `bellbuoy keys new --scope server`, "
                "instead of a write key",
                tenant=grant.tenant,
            )
        return grant

    def _find(self, key: str) -> Grant | None:
        digest = digest_of(key)
        if (grant := self._of_settings.get(digest)) is not None:
            return grant
        made = self._made.get(digest)
        return made[1] if made is not None and made[0].opens_at(self._clock()) else None


def _grant(key: WriteKey) -> Grant:
    quota = Quota(key.per_second, key.per_day)
    return Grant(key.tenant, key.scope, key.name, key.sources, key.topics, quota)


def _in_words(quota: Quota) -> str:
    parts = ((quota.per_second, "a second"), (quota.per_day, "a day"))
    return " and ".join(f"{most:,} events {each}" for most, each in parts if most)


def _key_in(authorization: str | None) -> str | None:
    scheme, _, credentials = (authorization or "").strip().partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(credentials.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return decoded.partition(":")[0]
