"""
Ending of accounts that are merged into another or deleted.

What was published of them gets tombstones, their alerts are resolved, and what is kept or goes on is settled.
"""

from __future__ import annotations

from processors.alerts.changes import newest_changes
from processors.alerts.episodes import resolve_all
from processors.fold.account_update import AccountUpdate
from processors.fold.evaluation_cache import LoadedAccount
from processors.fold.models_in_force import Models
from processors.fold.outcome import (
    Outcome,
    alert_records,
    deleted_health,
    tombstone_health,
    tombstone_kpis,
)
from processors.merging.transfers import forward
from processors.observe.deletion import forgotten_at, is_erased
from processors.state.account import DECIDED, Episode, State, arrange
from processors.state.position import BatchOrigin
from processors.view import View
from schemas.identity.aliases import is_alias
from schemas.identity.keys import account_key

__all__ = ["delete_account", "forward_account", "remember_deletion"]


def forward_account(
    key: bytes, update: AccountUpdate, origin: BatchOrigin, models: Models, outcome: Outcome
) -> None:
    """End what was published of an account, and send its evidence to the account that it belongs to."""
    account, received_at = update.account, update.received_at
    state = account.state
    view = View(state, origin.written_at)
    model = models.of(view)
    if state.score is not None:
        last = tombstone_health(origin, state, model, received_at)
        outcome.health.append((key, last))
        outcome.kpis.append((key, tombstone_kpis(last)))
    alerts = alert_records(
        origin,
        state,
        newest_changes(
            update.episode_changes
            + resolve_all(state, f"Merged into {state.link.into}", "merged", origin.written_at)
        ),
        model,
        score=state.score or 0,
        band=model.for_account(view).bands.severity(state.band),
        reasons=lambda _: (),
        received_at=received_at,
        rules_version=models.rules(state.tenant).version,
    )
    outcome.alerts.extend((key, alert) for alert in alerts)
    account.state, transfer = forward(state, origin.sequence, origin.written_at, received_at)
    account.evaluation = account.encoding = None
    outcome.accounts[key] = account
    if transfer is not None:
        outcome.transfers.append((account_key(transfer.tenant, transfer.account_id), transfer))


def delete_account(
    key: bytes, update: AccountUpdate, origin: BatchOrigin, models: Models, outcome: Outcome
) -> None:
    """
    End what was published and decided of an account whose evidence is erased.

    What occurred after the deletion, in the same batch, is judged with the next one, because of each
    account a batch publishes one health record.
    """
    account, received_at = update.account, update.received_at
    state = account.state
    model = models.of(View(state, origin.written_at))
    if not is_alias(state.account_id):
        last = deleted_health(origin, state, model, received_at)
        outcome.health.append((key, last))
        outcome.kpis.append((key, tombstone_kpis(last)))
    state.episodes = {
        rule: Episode(
            episode.number, episode.severity, episode.opened_at, dismissed=episode.dismissed,
            muted=episode.muted, shadow=episode.shadow, lane=episode.lane,
        )
        for rule, episode in state.episodes.items()
    }  # fmt: skip
    alerts = alert_records(
        origin,
        state,
        resolve_all(state, "Account deleted", "deleted", origin.written_at),
        model,
        score=0,
        band="unknown",
        reasons=lambda _: (),
        received_at=received_at,
        rules_version=models.rules(state.tenant).version,
    )
    outcome.alerts.extend((key, alert) for alert in alerts)
    blank, numbers = State(), {rule: Episode(one.number) for rule, one in state.episodes.items()}
    for name in DECIDED:
        setattr(state, name, getattr(blank, name))
    state.episodes = numbers
    remember_deletion(key, account, origin, outcome)
    if not is_erased(state):
        state.due = origin.written_at


def remember_deletion(key: bytes, account: LoadedAccount, origin: BatchOrigin, outcome: Outcome) -> None:
    """Keep the time of a deletion for as long as events of before it are admitted; then nothing."""
    state = account.state
    if is_erased(state) and origin.written_at >= forgotten_at(state):
        account.state = State(tenant=state.tenant, account_id=state.account_id)
    else:
        arrange(state)
        state.sequence, state.due = origin.sequence, forgotten_at(state)
    account.evaluation = account.encoding = None
    outcome.accounts[key] = account
