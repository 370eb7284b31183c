"""Inbox of a local stack: the channel that it uses when the settings name none."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bellbuoy.settings import Settings
from sinks.notify.inbox.settings import InboxSettings

__all__ = ["inbox_page", "with_inbox"]

_SECRET_BYTES = 24


def with_inbox(settings: Settings) -> Settings:
    """
    Return the settings with an inbox in the data directory, unless they name channels.

    Its messages link to the gateway by a secret that is kept in the data directory.
    """
    notify = settings.notify
    if notify.channels:
        return settings
    folder = settings.data.absolute() / "inbox"
    update: dict[str, Any] = {"channels": {"inbox": InboxSettings(folder=folder)}}
    if notify.link_secret is None:
        update |= {
            "link_secret": SecretStr(_secret(folder)),
            "action_url": notify.action_url or f"http://{settings.gateway.host}:{settings.gateway.port}",
        }
    return settings.model_copy(update={"notify": notify.model_copy(update=update)})


def inbox_page(settings: Settings) -> Path | None:
    """Return the page of the first inbox of the settings."""
    inboxes = (one for one in settings.notify.channels.values() if isinstance(one, InboxSettings))
    return next((inbox.folder / "index.html" for inbox in inboxes), None)


def _secret(folder: Path) -> str:
    """Return the secret that signs the links, made on the first start."""
    file = folder / "link-secret"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        file.touch(0o600)
        file.write_text(secrets.token_urlsafe(_SECRET_BYTES))
    return file.read_text().strip()
