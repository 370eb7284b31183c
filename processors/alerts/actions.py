"""
Actions of people on alerts: acknowledge, snooze, assign, review, dismiss and resolve.

Actions come in any order, repeated and late. Of each kind the newest by (occurred_at, event id) counts, so
that a set of actions on an open alert gives one result. Dismissing and resolving end an alert for good: its
rule stays silent until all was well again, and after *resolved* also until it finds something worse. An
action on an alert that is unknown, another account's or over changes nothing, but for a review.
"""

from __future__ import annotations

from msgspec.structs import replace

from processors.alerts.changes import EpisodeChange, alert_id, is_listed, keep, split_episode_key
from processors.state.account import Episode, Stamp, State, stamp
from schemas.records import AlertAction

__all__ = ["act"]

_ENDS = {"dismissed": "dismissed", "resolved": "done"}
_FEEDBACK = ("useful", "noise", "known")
_NEVER: Stamp = (-1, 0)


def act(state: State, action: AlertAction, now: int) -> list[EpisodeChange]:
    """Fold an action at *now* (journal time); return the change to publish, if it changes anything."""
    state.applied += 1
    for key, before in state.episodes.items():
        rule, subject = split_episode_key(key)
        if alert_id(state.tenant, state.account_id, rule, before.number, subject) == action.alert_id:
            break
    else:
        return []
    at = stamp(action.occurred_at, action.event_id)
    if action.kind == "reviewed":
        return _review(state, key, before, action, at)
    if not is_listed(before) or at <= before.stamps.get(action.kind, _NEVER):
        return []
    after = _after(before, action, at, now)
    if after is None:
        return []
    keep(state, key, after)
    if action.kind in _ENDS:
        return [_change(key, "resolved", after, resolution=_ENDS[action.kind])]
    return [_change(key, "updated", after)] if _shown(after) != _shown(before) else []


def _after(before: Episode, action: AlertAction, at: Stamp, now: int) -> Episode | None:
    """Return the episode after an action on an open alert; ``None`` where it means nothing."""
    noted = _with_note(_stamped(before, action.kind, at), action, at)
    if action.feedback is not None:
        noted = _with_feedback(noted, action, at)
    match action.kind:
        case "acknowledged":
            return replace(noted, acknowledged_by=action.author, acknowledged_at=action.occurred_at)
        case "snoozed":
            seen = action.occurred_at >= before.worsened_at  # what was snoozed was not the worse one
            until = action.until if seen and action.until is not None and action.until > now else None
            return replace(noted, snoozed_until=until)
        case "assigned":
            return replace(noted, assignee=action.assignee or None)
        case "dismissed" | "resolved":
            return replace(
                noted,
                dismissed=True,
                dismissed_by=action.author,
                resolution=_ENDS[action.kind],
                snoozed_until=None,
            )
        case _:
            return None


def _review(state: State, key: str, before: Episode, action: AlertAction, at: Stamp) -> list[EpisodeChange]:
    """Note what a person says of an alert, also of one that is over but has no successor yet."""
    if before.muted or before.shadow or not before.number:
        return []
    after = _with_note(_with_feedback(before, action, at), action, at)
    if _shown(after) == _shown(before):
        return []
    keep(state, key, after)
    if is_listed(after):
        return [_change(key, "updated", after)]
    return [_change(key, "resolved", after, resolution=after.resolution or "recovered")]


def _with_feedback(episode: Episode, action: AlertAction, at: Stamp) -> Episode:
    if action.feedback not in _FEEDBACK or at <= episode.stamps.get("reviewed", _NEVER):
        return episode
    return replace(_stamped(episode, "reviewed", at), feedback=action.feedback)


def _with_note(episode: Episode, action: AlertAction, at: Stamp) -> Episode:
    if not action.note or at <= episode.stamps.get("noted", _NEVER):
        return episode
    return replace(_stamped(episode, "noted", at), note=action.note)


def _stamped(episode: Episode, kind: str, at: Stamp) -> Episode:
    return replace(episode, stamps=dict(sorted((episode.stamps | {kind: at}).items())))


def _shown(episode: Episode) -> Episode:
    """Return an episode without the times of actions, of which nothing is shown."""
    return replace(episode, stamps={})


def _change(key: str, change: str, after: Episode, *, resolution: str | None = None) -> EpisodeChange:
    rule, subject = split_episode_key(key)
    severity = after.severity or after.last_severity
    return EpisodeChange(
        rule, change, severity, after.title or rule, after.action, after, subject, resolution=resolution
    )
