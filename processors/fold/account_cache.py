"""Cache of a partition's accounts as values, so that accounts in use need not be decoded for every batch."""

from __future__ import annotations

from collections.abc import Mapping

from processors.fold.evaluation_cache import LoadedAccount

__all__ = ["AccountCache"]


class AccountCache:
    """
    Accounts as values by key; over ``max_bytes`` the least recently used leave first.

    Bytes are counted as the states are stored; as values they take 9 to 15 times that. Without a bound
    (``None``) every account stays, with a bound of 0 none does.
    """

    def __init__(self, max_bytes: int | None = None) -> None:
        self._max_bytes = max_bytes
        self._accounts: dict[bytes, tuple[LoadedAccount, int]] = {}
        self._bytes = 0

    def get(self, key: bytes) -> LoadedAccount | None:
        """Return an account to read, or ``None``; its place in the order of use stays."""
        entry = self._accounts.get(key)
        return None if entry is None else entry[0]

    def take(self, key: bytes) -> LoadedAccount | None:
        """Remove an account and return it, so that it may be changed; ``None`` if it isn't here."""
        account, size = self._accounts.pop(key, (None, 0))
        self._bytes -= size
        return account

    def put(self, accounts: Mapping[bytes, LoadedAccount], states: Mapping[bytes, bytes | None]) -> None:
        """
        Keep accounts whose states are stored as these bytes, as the most recently used ones.

        One without bytes is removed.
        """
        for key, account in accounts.items():
            self.take(key)
            state = states[key]
            if state is None:
                continue
            size = len(state)
            self._accounts[key] = (account, size)
            self._bytes += size
        if self._max_bytes is not None:
            while self._bytes > self._max_bytes:
                self.take(next(iter(self._accounts)))
