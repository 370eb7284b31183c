"""The events that one batch brings an account, and what the judge must know of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from processors.alerts.changes import EpisodeChange
from processors.fold.evaluation_cache import LoadedAccount
from processors.state.usage_parts import TODAY

__all__ = ["AccountUpdate"]


@dataclass(slots=True)
class AccountUpdate:
    """
    The events that one batch brought an account, in its state already; none where time alone made it due.

    ``received_at`` is when the first event of it was received, ``changed_usage`` the parts of the usage that
    may differ (``processors.state.usage_parts``). ``deleted`` says that they erased what was known.
    ``owner_before`` has the account's owner before what may have named another; it is empty where nothing
    did.
    """

    account: LoadedAccount
    received_at: int | None = None
    episode_changes: list[EpisodeChange] = field(default_factory=list)
    usage_only: bool = True
    changed_usage: int = TODAY
    deleted: bool = False
    owner_before: tuple[str | None, ...] = ()

    def note_owner(self) -> None:
        """Note the owner before something comes that may name another."""
        self.owner_before = self.owner_before or (self.account.state.fact("owner"),)

    @property
    def handed_over(self) -> bool:
        """Whether the account has another owner than before."""
        return self.owner_before not in ((), (self.account.state.fact("owner"),))

    def received(self, at: int) -> None:
        """Note the time at which another event was received."""
        if self.received_at is None or at < self.received_at:
            self.received_at = at
