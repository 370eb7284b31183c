"""
Transfers: the evidence of an alias, or of a merged account, moves to the account that it belongs to.

A link says which account that is (``processors.observe.links``). What is known then leaves as a transfer, and
so does at once whatever comes later; only the link, the count of links and the numbers of past alerts stay.
An alias without a link keeps its evidence. Neither is judged.

A transfer that meets a further link is forwarded from there. Links may close a circle; it is broken at the
account whose own link is the oldest of them, because all newer links lead there: that link is undone, and the
account is judged again. Evidence carries the links that it followed, so that the account can tell.

    links, oldest first     a -> b    b -> c    c -> a
    evidence of c goes      c -> a -> b -> c -> a
                                           |    back at a, whose own link is the oldest: a keeps the evidence
                                           back at c, where the evidence tells of older links: on it goes
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from processors.merging.merge import merge
from processors.observe import bound, evict
from processors.observe.deletion import ignore, keep_later
from processors.state.account import DECIDED, Link, State, arrange
from processors.state.encoding import decode_state, encode_state
from schemas.identity.aliases import is_alias
from schemas.records import OWN_SOURCE, AccountTransfer
from schemas.times import DAY

__all__ = ["forward", "is_forwarded", "linked_to", "receive"]


def receive(state: State, transfer: AccountTransfer, now: int) -> None:
    """Merge the evidence of another account; undo the own link where that is the oldest of a circle."""
    other = decode_state(transfer.state)
    evict(other, now)
    way = state.link.way
    for account, step in other.link.way.items():
        if account not in way or step[1] > way[account][1]:
            way[account] = step
    if state.deleted_at >= 0 and not keep_later(other, state.deleted_at):
        ignore(state, other.applied)
    else:
        merge(state, other)
    link = state.link
    if link.into and _oldest_of_circle(state):
        link.into = ""
    if not link.into:
        link.way = {}


def _oldest_of_circle(state: State) -> bool:
    """Tell whether the links that the evidence followed lead back here, and the own link is the oldest."""
    link, own = state.link, (state.link.at, state.account_id)
    account = link.into
    for _ in link.way:
        step = link.way.get(account)
        if step is None or (step[1], account) < own:
            return False
        account = step[0]
        if account == state.account_id:
            return True
    return False


def is_forwarded(state: State) -> bool:
    """Tell whether the evidence here is, or will be, another account's, so that it isn't judged here."""
    return bool(state.link.into) or is_alias(state.account_id)


def forward(
    state: State, sequence: int, now: int, received_at: int | None
) -> tuple[State, AccountTransfer | None]:
    """Return what stays of an account that isn't judged, and what leaves in this batch, if anything does."""
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
        deleted_at=state.deleted_at,
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
    """Return what is known without what was decided, and the links that it followed."""
    link, way = state.link, dict(state.link.way)
    if not is_alias(state.account_id):  # no link leads into an alias, so none is part of a circle
        way[state.account_id] = link.into, link.at
    blank = State()
    return replace(
        state,
        **{name: getattr(blank, name) for name in DECIDED},
        applied=state.applied - link.count,
        deleted_at=-1,
        link=Link(way=dict(sorted(way.items()))),
    )


def linked_to(states: Mapping[str, State], account_id: str) -> list[str]:
    """Return the aliases and accounts whose evidence goes to an account, directly or over others."""
    found, waiting = set[str](), [account_id]
    while waiting:
        into = waiting.pop()
        new = {
            name
            for name, state in states.items()
            if state.link.into == into and name not in found and name != account_id
        }
        found |= new
        waiting += new
    return sorted(found)
