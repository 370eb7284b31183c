"""
What belongs to another account moves there: the evidence of aliases and of merged accounts.

A link says where (``processors.observe.links``). What is known then leaves as a transfer, and so does at once
whatever comes later; only the link, the count of links and the numbers of past alerts stay. An alias
without a link keeps what it hears. Neither is judged.

A transfer that meets a further link goes on from there. Links may close a circle; it ends at the account
whose own link is the oldest of them, as all newer words lead there: that link is undone, and the account is
judged again. Evidence carries the links it followed, so that the account can tell.
"""

from __future__ import annotations

from msgspec.structs import replace

from processors.alerts.rules import Change, Finding, note
from processors.merging.merge import merge
from processors.observe import bound, evict
from processors.state.account import Link, State, arrange
from processors.state.encoding import decode_state, encode_state
from schemas.identity.aliases import is_alias
from schemas.records import OWN_SOURCE, AccountHealth, AccountKpis, AccountTransfer, JournalBatch
from schemas.times import DAY

__all__ = ["forward", "is_forwarded", "no_kpis", "receive", "resolve_alerts", "tombstone"]


def receive(state: State, transfer: AccountTransfer, now: int) -> None:
    """Merge what was known elsewhere; undo the account's own link where that is the oldest of a circle."""
    other = decode_state(transfer.state)
    evict(other, now)
    way = state.link.way
    for account, step in other.link.way.items():
        if account not in way or step[1] > way[account][1]:
            way[account] = step
    merge(state, other)
    link = state.link
    if link.into and _oldest_of_circle(state):
        link.into = ""
    if not link.into:
        link.way = {}


def _oldest_of_circle(state: State) -> bool:
    link, ours = state.link, (state.link.at, state.account_id)
    account = link.into
    for _ in link.way:
        step = link.way.get(account)
        if step is None or (step[1], account) < ours:
            return False
        account = step[0]
        if account == state.account_id:
            return True
    return False


def is_forwarded(state: State) -> bool:
    """Tell whether what is known here is, or will be, another account's, so that it isn't judged here."""
    return bool(state.link.into) or is_alias(state.account_id)


def resolve_alerts(state: State) -> list[Change]:
    """End the open episodes of an account that was merged into another."""
    changes = []
    for rule, before in sorted(state.episodes.items()):
        if before.severity:
            after = replace(before, severity="", muted=False)
            note(state, rule, after)
            if not before.dismissed and not before.muted:
                finding = Finding("", f"Merged into {state.link.into}")
                changes.append(Change(rule, "resolved", before.severity, finding, after))
    return changes


def tombstone(
    state: State, batch: JournalBatch, partition: int, model: tuple[str, str], received_at: int | None
) -> AccountHealth:
    """Return the last that is published of a merged account, of which nothing is known any more."""
    return AccountHealth(
        tenant=state.tenant,
        account_id=state.account_id,
        name=state.fact("name"),
        owner=state.fact("owner"),
        segment=state.fact("segment"),
        score=0.0,
        band="unknown",
        previous_score=None if state.opening_score is None else state.opening_score / 100,
        coverage=0.0,
        measures=[],
        caps=[],
        reasons=[f"Merged into {state.link.into}"],
        open_alerts=[],
        model=model[0],
        model_version=model[1],
        as_of=batch.written_at,
        received_at=received_at,
        partition=partition,
        sequence=batch.sequence,
        band_since=batch.written_at,
    )


def no_kpis(last: AccountHealth) -> AccountKpis:
    """Return the KPIs that go with the last that is published of a merged account: none."""
    return AccountKpis(
        tenant=last.tenant,
        account_id=last.account_id,
        measures=[],
        model=last.model,
        model_version=last.model_version,
        as_of=last.as_of,
        partition=last.partition,
        sequence=last.sequence,
    )


def forward(
    state: State, sequence: int, now: int, received_at: int | None
) -> tuple[State, AccountTransfer | None]:
    """Return what stays of an account that is apart, and what leaves in this batch, if anything does."""
    if now // DAY != state.scored_day:
        evict(state, now)
        state.scored_day = now // DAY
    bound(state)
    state.sequence, state.due, state.kpis_due = sequence, None, None
    link = state.link
    if not link.into or state.applied == link.count:
        link.way = {}
        arrange(state)
        return state, None
    stays = State(
        tenant=state.tenant,
        account_id=state.account_id,
        applied=link.count,
        sequence=sequence,
        episodes=state.episodes,
        scored_day=state.scored_day,
        link=replace(link, way={}),
    )
    arrange(stays)
    transfer = AccountTransfer(
        event_id=f"{state.account_id}:{sequence}",
        tenant=state.tenant,
        account_id=link.into,
        source=OWN_SOURCE,
        occurred_at=now,
        received_at=now if received_at is None else received_at,
        origin=state.account_id,
        state=encode_state(_evidence(state)),
    )
    return stays, transfer


def _evidence(state: State) -> State:
    """Return what is known without what was decided, and the way it has come."""
    link, way = state.link, dict(state.link.way)
    if not is_alias(state.account_id):  # no link leads into an alias, so none is part of a circle
        way[state.account_id] = link.into, link.at
    blank = State()
    return replace(
        state,
        applied=state.applied - link.count,
        sequence=blank.sequence,
        due=None,
        episodes={},
        score=None,
        band=blank.band,
        scored_day=blank.scored_day,
        opening_score=None,
        band_since=blank.band_since,
        pending_band="",
        pending_since=blank.pending_since,
        kpis_due=None,
        link=Link(way=dict(sorted(way.items()))),
    )
