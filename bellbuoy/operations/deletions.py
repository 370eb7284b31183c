"""The deletion of an account: what is known of it, and which aliases and accounts are erased with it."""

from __future__ import annotations

from dataclasses import dataclass

from confluent_kafka import TopicPartition

from bellbuoy.errors import OperatorError
from bellbuoy.operations.kafka.retry import retry_while_leaderless
from bellbuoy.settings import Settings
from processors.merging.transfers import linked_to
from processors.observe.deletion import is_erased
from processors.state.account import State
from processors.state.encoding import decode_state
from processors.state.position import is_account
from schemas.identity.keys import split_key
from schemas.suggestions import nearest
from schemas.times import iso
from streams.kafka.log_reader import read_to_end

__all__ = ["PlannedDeletion", "UnknownAccountError", "plan_deletion"]


class UnknownAccountError(OperatorError):
    """Nothing is known of the account, so that there is nothing to delete; the message names similar ones."""


@dataclass(frozen=True, slots=True)
class PlannedDeletion:
    """
    The plan of a deletion: what it erases of an account.

    ``known`` counts what the state holds, by name; entries of 0 are left out. ``linked`` are the aliases and
    the accounts whose evidence goes to it, directly or over others; they are erased with it. ``merged_into``
    is the account to which its own evidence went ('': none), where it stays.
    """

    account_id: str
    name: str | None
    known: dict[str, int]
    open_alerts: int
    linked: list[str]
    merged_into: str

    @property
    def account_ids(self) -> list[str]:
        """The ids that are deleted: the account's and those linked to it."""
        return [self.account_id, *self.linked]


def plan_deletion(settings: Settings, tenant: str, account_id: str) -> PlannedDeletion:
    """
    Return what the deletion of an account would erase, from the states' changelog.

    Raises UnknownAccountError for an account that nothing is known of, and KafkaAwayError.
    """
    states = _states(settings, tenant)
    state = states.get(account_id)
    linked = linked_to(states, account_id)
    if state is None and not linked:
        known = [name for name, each in states.items() if not is_erased(each)]
        similar = nearest(account_id, known, 5)
        hint = f"did you mean {', '.join(similar)}?" if similar else "is it spelt so, and the tenant?"
        raise UnknownAccountError(f"nothing is known of account {account_id!r} of tenant {tenant}; {hint}")
    state = state or State(tenant=tenant, account_id=account_id)
    if is_erased(state) and not linked:
        raise UnknownAccountError(
            f"account {account_id!r} of tenant {tenant} was deleted up to {iso(state.deleted_at)}, "
            "and nothing is known of it since"
        )
    return PlannedDeletion(
        account_id,
        state.fact("name"),
        {what: number for what, number in _known(state).items() if number},
        sum(bool(episode.severity) for episode in state.episodes.values()),
        linked,
        state.link.into,
    )


def _states(settings: Settings, tenant: str) -> dict[str, State]:
    kafka = settings.kafka
    starts = [TopicPartition(kafka.topics().changelog, number, 0) for number in range(kafka.partitions)]

    def read() -> dict[bytes, bytes | None]:
        return {
            record.key: record.value
            for record in read_to_end(kafka.connection(), starts)
            if record.key is not None and is_account(record.key) and split_key(record.key)[0] == tenant
        }

    newest = retry_while_leaderless(kafka.connection(), read)
    return {split_key(key)[1]: decode_state(value) for key, value in newest.items() if value is not None}


def _known(state: State) -> dict[str, int]:
    return {
        "events": state.applied - state.link.count,
        "users": len(state.usage.users),
        "tickets": len(state.tickets),
        "subscriptions": len(state.billing.subscriptions),
        "invoices": len(state.billing.invoices),
        "survey answers": len(state.surveys),
        "people": len(state.people),
        "goals": len(state.aims),
        "profile fields": len(state.profile),
        "facts of your own": len(state.own) + len(state.own_counts),
        "overrides": len(state.overrides),
        "notes": len(state.notes),
        "tasks": len(state.tasks),
    }
