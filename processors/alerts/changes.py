"""Changes of alert episodes, and the keys and ids of alerts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import xxhash
from msgspec.structs import replace

from processors.state.account import Episode, State

__all__ = [
    "EpisodeChange",
    "alert_id",
    "ended",
    "episode_key",
    "handed_over",
    "is_listed",
    "keep",
    "newest_changes",
    "settled",
    "split_episode_key",
]


@dataclass(frozen=True, slots=True)
class EpisodeChange:
    """A change of an episode, to be published; ``severity`` of a resolved one is what it had before."""

    rule: str
    change: str
    severity: str
    title: str
    action: str
    episode: Episode
    subject: str = ""
    reason: str | None = None
    resolution: str | None = None


def alert_id(tenant: str, account_id: str, rule: str, episode: int, subject: str = "") -> str:
    """Return the id of an episode: the same wherever and however often it is computed."""
    parts = (
        (tenant, account_id, rule, str(episode), subject)
        if subject
        else (tenant, account_id, rule, str(episode))
    )
    return xxhash.xxh3_128_hexdigest("\0".join(parts).encode())


def episode_key(rule: str, subject: str = "") -> str:
    """Return the key of a rule's episode about a subject, '' for the account, in a state."""
    return f"{rule}\n{subject}" if subject else rule


def split_episode_key(key: str) -> tuple[str, str]:
    """Return the rule and the subject of a key."""
    rule, _, subject = key.partition("\n")
    return rule, subject


def handed_over(state: State, changes: Iterable[EpisodeChange]) -> list[EpisodeChange]:
    """Return an update of each open alert of an account with a new owner of which no other change tells."""
    told = {episode_key(change.rule, change.subject) for change in changes}
    return [
        EpisodeChange(
            split_episode_key(key)[0], "updated", episode.severity, episode.title, episode.action, episode,
            split_episode_key(key)[1],
        )
        for key, episode in sorted(state.episodes.items())
        if is_listed(episode) and key not in told
    ]  # fmt: skip


def newest_changes(changes: Iterable[EpisodeChange]) -> list[EpisodeChange]:
    """
    Return the changes without those that a later one of the same kind, of the same alert, makes out of date.

    Two records of one batch and of one kind would have the same version; the later one says all.
    """
    newest = {(one.rule, one.subject, one.episode.number, one.change): one for one in changes}
    return list(newest.values())


def is_listed(episode: Episode) -> bool:
    """Tell whether an episode is an alert that people are shown as open."""
    return bool(episode.severity) and not (episode.dismissed or episode.muted or episode.shadow)


def keep(state: State, key: str, episode: Episode) -> None:
    """Keep an episode in the state, in the order of keys, in which bytes are read as well."""
    state.episodes = dict(sorted((state.episodes | {key: episode}).items()))


def settled(episode: Episode) -> Episode:
    """Return an episode of which nothing waits any more."""
    if episode.severity:
        return replace(episode, pending="", pending_since=-1)
    return replace(episode, pending="", pending_since=-1, since=-1, score_before=None, muted=False)


def ended(episode: Episode, at: int, resolution: str) -> Episode:
    """Return what is kept of an episode that has ended, for the next one and for words that come late."""
    return Episode(
        number=episode.number,
        opened_at=episode.opened_at,
        acknowledged_by=episode.acknowledged_by,
        acknowledged_at=episode.acknowledged_at,
        dismissed=episode.dismissed,
        dismissed_by=episode.dismissed_by,
        note=episode.note,
        title=episode.title,
        action=episode.action,
        lane=episode.lane,
        since=episode.since,
        score_before=episode.score_before,
        ended_at=at,
        openings=episode.openings,
        assignee=episode.assignee,
        resolution=episode.resolution or resolution,
        feedback=episode.feedback,
        stamps=episode.stamps,
        shadow=episode.shadow,
        last_severity=episode.severity,
    )
