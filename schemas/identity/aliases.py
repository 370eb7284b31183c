"""
Aliases: account ids that stand for a user or an e-mail domain whose account is not known yet.

Usage is kept under the alias until a link says which account it belongs to.
"""

from __future__ import annotations

import re

from schemas.identity.free_mail import FREE_MAIL
from schemas.identity.keys import valid_account

__all__ = ["ALIAS", "ALIAS_FORMS", "alias_of_domain", "alias_of_user", "is_alias", "known_alias"]

ALIAS = "~"
"""The first character of every alias, and of no customer's account id."""

ALIAS_FORMS = "`~user:` and a user id, or `~domain:` and a company's domain in lower case"
"""The forms of an alias, in words for error messages."""

_USER, _DOMAIN = f"{ALIAS}user:", f"{ALIAS}domain:"
_HOST = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]\Z")


def alias_of_user(user_id: str) -> str | None:
    """Return the alias of a user, or ``None`` where the id can't be part of a key."""
    alias = _USER + user_id
    return alias if user_id and valid_account(alias) else None


def alias_of_domain(domain: str) -> str | None:
    """Return the alias of a company's domain, or ``None`` for free mail and for text that is no domain."""
    try:
        host = domain.strip().rstrip(".").encode("idna").decode().lower()
    except UnicodeError:
        return None
    return _DOMAIN + host if _HOST.match(host) and host not in FREE_MAIL else None


def is_alias(account_id: str) -> bool:
    """Tell whether an account id is an alias."""
    return account_id.startswith(ALIAS)


def known_alias(account_id: str) -> bool:
    """Tell whether an alias has one of the two forms."""
    if account_id.startswith(_USER):
        return len(account_id) > len(_USER)
    return account_id.startswith(_DOMAIN) and alias_of_domain(account_id[len(_DOMAIN) :]) == account_id
