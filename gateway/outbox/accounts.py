"""Check of account ids, and the records that follow from an event for other accounts. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.http.errors import Fault
from schemas.identity.aliases import ALIAS, ALIAS_FORMS, alias_of_domain, alias_of_user, is_alias, known_alias
from schemas.identity.keys import valid_account
from schemas.records import OWN_SOURCE, AccountLink, AccountProfile, InputEvent, SupportEvent

__all__ = ["account_of", "account_or_alias", "derived_records"]


def account_or_alias(account_id: str, pointer: str) -> str:
    """Return an account id that may be part of a key, or an alias of a known form; raise Fault."""
    if not valid_account(account_id):
        raise Fault(
            "an account id has 1 to 256 characters, not only blanks, and no control character", pointer
        )
    if is_alias(account_id) and not known_alias(account_id):
        raise Fault(
            f"an account id that begins with {ALIAS} is {ALIAS_FORMS}; free-mail domains are none", pointer
        )
    return account_id


def account_of(
    pointer: str, *, account: str | None = None, user: str | None = None, email: str | None = None
) -> str:
    """
    Return the account of an event, or else the alias of its user, or of the domain of an e-mail address.

    Raises Fault with the pointer, reason ``unresolved_account`` where none of them leads anywhere.
    """
    if account:
        return account_or_alias(account, pointer)
    if user and (alias := alias_of_user(user)) is not None:
        return alias
    if email and (alias := alias_of_domain(email.rpartition("@")[2])) is not None:
        return alias
    raise Fault(
        "no account: there is neither an account, nor a user, nor an e-mail address of a company",
        pointer,
        "unresolved_account",
    )


def derived_records(event: InputEvent, user: str | None = None) -> Iterator[AccountLink | SupportEvent]:
    """
    Yield the records that follow from an event.

    From a profile follow links: its domain, and ``user``, belong to its account. From a ticket that was moved
    follows that the account before has it no more. The id of a record is derived from the event's, so that a
    retry makes the same records again.
    """
    if isinstance(event, SupportEvent):
        if event.moved_from not in (None, event.account_id):
            yield _moved(event, str(event.moved_from))
        return
    if not isinstance(event, AccountProfile) or is_alias(event.account_id):
        return
    if event.domain and (alias := alias_of_domain(event.domain)) is not None:
        yield _link(event, "domain", alias)
    if user is not None and (alias := alias_of_user(user)) is not None:
        yield _link(event, "user", alias)


def _moved(event: SupportEvent, account: str) -> SupportEvent:
    return SupportEvent(
        event_id=f"moved of {event.source} {event.event_id}",
        tenant=event.tenant,
        account_id=account,
        source=OWN_SOURCE,
        occurred_at=event.occurred_at,
        received_at=event.received_at,
        ticket_id=event.ticket_id,
        kind="moved",
    )


def _link(event: AccountProfile, kind: str, alias: str) -> AccountLink:
    return AccountLink(
        event_id=f"{kind} of {event.source} {event.event_id}",
        tenant=event.tenant,
        account_id=alias,
        source=OWN_SOURCE,
        occurred_at=event.occurred_at,
        received_at=event.received_at,
        into=event.account_id,
    )
