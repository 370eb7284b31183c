"""The addresses of the console, and the links that sign in, for whoever starts it."""

from __future__ import annotations

from urllib.parse import urlencode

from bellbuoy.console.access.access import Access
from bellbuoy.settings import Settings

__all__ = ["console_url", "new_link"]


def console_url(settings: Settings, port: int | None = None) -> str:
    """Return the address of the console for browsers."""
    console = settings.console
    if console.url is not None:
        return console.url
    host = f"[{console.host}]" if ":" in console.host else console.host
    return f"http://{host}:{port or console.port}"


def new_link(settings: Settings, port: int | None = None) -> str:
    """Return a new link that signs in once."""
    link = urlencode({"link": Access(settings.data).new_link()})
    return f"{console_url(settings, port)}/sign-in?{link}"
