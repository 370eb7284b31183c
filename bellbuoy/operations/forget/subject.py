"""The subject of an erasure, and what the account states know of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from confluent_kafka import TopicPartition

from bellbuoy.operations.kafka.retry import retry_while_leaderless
from bellbuoy.settings import Settings
from processors.merging.transfers import linked_to
from processors.observe.deletion import is_erased
from processors.observe.person_erasure import knows_person
from processors.state.account import State, brief
from processors.state.encoding import decode_state
from processors.state.position import is_account
from schemas.identity.aliases import alias_of_user
from schemas.identity.erasures import NOBODY, Erasures
from schemas.identity.keys import account_key, split_key
from streams.kafka.log_reader import read_to_end

__all__ = ["ForgottenSubject", "StateFollower", "find_subject", "keys_of"]


@dataclass(frozen=True, slots=True)
class ForgottenSubject:
    """
    A subject of an erasure in one tenant: an account, or the person ``user_id``.

    ``account_ids`` are erased whole, the subject's own id first: the account with its linked aliases and
    accounts, or the alias of the person. ``known_in`` are the accounts whose state knows the person, and
    ``erased_in`` those from which it was erased before. ``names`` are what else messages call it.
    """

    tenant: str
    account_ids: list[str]
    user_id: str | None = None
    known_in: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    erased_in: list[str] = field(default_factory=list)

    @property
    def person(self) -> int | None:
        """The 32 bits by which states know the person; ``None`` for an account."""
        return None if self.user_id is None else brief(self.user_id)

    @property
    def ids(self) -> list[str]:
        """Every id of the subject, as it stands in events."""
        return [*([] if self.user_id is None else [self.user_id]), *self.account_ids]

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text that names the subject, the id first."""
        return (*self.ids, *self.names)


class StateFollower:
    """The account states of a tenant, read from their changelog, and then what changes."""

    def __init__(self, settings: Settings, tenant: str) -> None:
        self._connection, self._tenant = settings.kafka.connection(), tenant
        self._topic = settings.kafka.topics().changelog
        self._next = dict.fromkeys(range(settings.kafka.partitions), 0)
        self.states: dict[str, State] = {}
        self.read()

    def read(self) -> None:
        """Read the changelog on to its present end; raise KafkaAwayError."""

        def rest() -> list[tuple[int, int, bytes | None, bytes | None]]:
            starts = [TopicPartition(self._topic, number, offset) for number, offset in self._next.items()]
            return [(r.partition, r.offset, r.key, r.value) for r in read_to_end(self._connection, starts)]

        for number, offset, key, value in retry_while_leaderless(self._connection, rest):
            self._next[number] = offset + 1
            if key is None or not is_account(key) or split_key(key)[0] != self._tenant:
                continue
            account_id = split_key(key)[1]
            if value is None:
                self.states.pop(account_id, None)
            else:
                self.states[account_id] = decode_state(value)

    def erased(self, subject: ForgottenSubject, account_ids: list[str]) -> bool:
        """Tell whether nothing but deletions is known of these accounts, and nothing of the person."""
        states = [self.states[name] for name in account_ids if name in self.states]
        known = [self.states[name] for name in subject.known_in if name in self.states]
        person = subject.person
        return all(map(is_erased, states)) and not any(
            person is not None and knows_person(state, person) for state in known
        )


def find_subject(
    states: Mapping[str, State],
    tenant: str,
    account_id: str | None,
    user_id: str | None,
    erasures: Erasures = NOBODY,
) -> ForgottenSubject:
    """Return an account, or a person, with what is linked to it."""
    if account_id is not None:
        state = states.get(account_id)
        name = None if state is None else state.fact("name")
        linked = linked_to(states, account_id)
        return ForgottenSubject(tenant, [account_id, *linked], names=[name] if name else [])
    assert user_id is not None
    alias, person = alias_of_user(user_id), brief(user_id)
    known_in = sorted(name for name, state in states.items() if knows_person(state, person))
    before = ((name, erasures.of(tenant, name)) for name in sorted(states))
    erased_in = [name for name, entry in before if entry and entry.of_person(tenant, name, person) >= 0]
    return ForgottenSubject(tenant, [alias] if alias else [], user_id, known_in, erased_in=erased_in)


def keys_of(subject: ForgottenSubject) -> set[bytes]:
    """Return the record keys of the accounts that are erased whole."""
    return {account_key(subject.tenant, account_id) for account_id in subject.account_ids}
