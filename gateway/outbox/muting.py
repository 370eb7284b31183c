"""The muting of accounts while history of theirs comes in: what it tells began before."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.http.sender import Sender
from gateway.outbox.dispatch import Dispatcher
from gateway.outbox.request_records import RequestRecords
from processors.state.own import MUTED_UNTIL
from schemas.records import AccountProfile
from schemas.times import HOUR

__all__ = ["MUTED_FOR", "Muting"]

MUTED_FOR = HOUR
"""After the last of its history an account stays muted for so long, until all of it is scored."""


class Muting:
    """The accounts that one sender of history has muted, and until when."""

    def __init__(self) -> None:
        self._until: dict[str, int] = {}

    def records(self, dispatcher: Dispatcher, sender: Sender, accounts: Iterable[str]) -> RequestRecords:
        """
        Return what mutes these accounts for an hour from the sender's time.

        An account whose muting has more than half of that to go is left out.
        """
        now, records = sender.received_at, RequestRecords(sender)
        for account in sorted(set(accounts)):
            if now <= self._until.get(account, 0) - MUTED_FOR / 2:
                continue
            until = self._until[account] = now + MUTED_FOR
            event = AccountProfile(
                event_id=f"muted until {until} {account}",
                tenant=sender.tenant,
                account_id=account,
                source=sender.source,
                occurred_at=now,
                received_at=now,
                own={MUTED_UNTIL: until},
            )
            dispatcher.accept(records, event)
        return records
