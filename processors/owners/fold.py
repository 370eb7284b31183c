"""Fold of the changes of alerts that reach the owners of a tenant into their rows and into notifications."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from processors.owners.dispatcher import AlertDispatcher
from processors.owners.person_erasure import erase_person_from_rows
from processors.owners.policy import Policy
from processors.owners.rows import Rows
from processors.state.position import BatchOrigin
from schemas.identity.owners import OWNERS
from schemas.records import AlertNotification, JournalBatch

__all__ = ["OwnersFold"]


class OwnersFold:
    """
    Batches of one partition, folded one after the other into rows and notifications.

    ``stored`` maps the keys of rows to their bytes (``processors.owners.rows``).
    """

    def __init__(self, stored: Mapping[bytes, bytes]) -> None:
        self.notifications: list[tuple[bytes, AlertNotification]] = []
        self._rows = Rows(stored)

    def add(
        self,
        batch: JournalBatch,
        origin: BatchOrigin,
        due: Iterable[bytes],
        policy_of: Callable[[str], Policy],
        accounts_of: Callable[[str], int],
    ) -> None:
        """
        Fold the part of a batch that concerns owners; ``due`` names the stored rows that are due.

        ``policy_of`` returns the policy of a tenant, and ``accounts_of`` the number of its accounts in this
        partition, both after this batch. First comes what happened, then what is due: who acknowledges an
        alert in time is in time.
        """
        for link in batch.links:
            if link.account_id == OWNERS and link.deleted and link.person is not None:
                erase_person_from_rows(self._rows, link.tenant, link.person)
        dispatcher = AlertDispatcher(self._rows, origin, policy_of, accounts_of, self.notifications)
        dispatcher.count([each.alert for each in batch.owner_alerts])
        for owner_alert in batch.owner_alerts:
            dispatcher.take(owner_alert.alert)
        for action in batch.actions:
            if action.account_id == OWNERS:
                dispatcher.act(action)
        for key in self._rows.due(due, origin.written_at):
            dispatcher.wake(key)

    def changed_rows(self) -> dict[bytes, bytes | None]:
        """Return the rows that the batches change, as bytes; ``None`` for one that is removed."""
        return self._rows.encoded()
