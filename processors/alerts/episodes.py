"""
Alert episodes: what opens, updates, resolves and acknowledges the alert of a rule on an account.

The first severity that a rule finds opens an episode, a worse one updates it, all-is-well resolves it, and
can't-tell leaves it alone. An episode changes by such a transition only, never by computing anew. What a
person does with an alert is kept beside what the alert says:

    the rule finds    well   notice   warning  warning  notice   can't tell  well      warning
    the episode              opened   updated                                resolved  opened
                             number 1                                                  number 2
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

import xxhash
from msgspec.structs import replace

from processors.alerts.rules import RULES, Finding
from processors.measures import View
from processors.state.account import Episode, State
from schemas.records import AlertAction

__all__ = ["EpisodeChange", "acknowledge", "alert_id", "resolve_all", "update_episodes"]

_SEVERITY_RANK = {"": 0, "notice": 1, "warning": 2, "critical": 3}
_NO_EPISODE = Episode()
_CHURNED = Finding("", "No customer any more")
_USAGE_RULES = tuple(rule for rule in RULES.values() if rule.reads_usage)


@dataclass(frozen=True, slots=True)
class EpisodeChange:
    """A change of an episode, to be published; ``severity`` of a resolved one is what it had before."""

    rule: str
    change: str
    severity: str
    title: str
    action: str
    episode: Episode


def alert_id(tenant: str, account_id: str, rule: str, episode: int) -> str:
    """Return the id of an episode: the same wherever and however often it is computed."""
    return xxhash.xxh3_128_hexdigest("\0".join((tenant, account_id, rule, str(episode))).encode())


def update_episodes(
    view: View, band: str, *, frozen: Container[str] = (), switched: bool = False, usage_only: bool = False
) -> list[EpisodeChange]:
    """
    Run every rule; change the state's episodes and return the changes to publish, in the rules' order.

    ``band`` is how bad the band is that the rules judge (``processors.fold.judge``), whatever its model calls
    it. A rule that rests on a ``frozen`` source can't tell. Where another model has ``switched`` the band,
    nothing has happened to the customer: an episode that this opens is muted until it gets worse. After
    ``usage_only``, while the account wasn't due, the rules that don't read usage find what they found before.
    """
    state, changes = view.state, []
    for rule in _USAGE_RULES if usage_only else RULES.values():
        finding = _CHURNED if view.churned else rule.judge(view, band)
        if finding is None or (rule.source in frozen and not view.churned):
            continue
        before = state.episodes.get(rule.name, _NO_EPISODE)
        muted = switched and rule.judges_band
        if not before.severity:
            if not finding.severity:
                continue
            after = Episode(before.number + 1, finding.severity, view.now, muted=muted)
            change = "opened"
        elif not finding.severity:
            muted = before.muted
            after = _ended(before)
            change = "resolved"
        elif _SEVERITY_RANK[finding.severity] <= _SEVERITY_RANK[before.severity]:
            continue
        elif before.muted and not muted:
            after = replace(before, severity=finding.severity, opened_at=view.now, muted=False)
            change = "opened"
        else:
            after = replace(before, severity=finding.severity)
            change = "updated"
        if after.severity:
            after = replace(after, title=finding.title, action=finding.action)
        _store(state, rule.name, after)
        if not after.dismissed and not muted:
            severity = finding.severity or before.severity
            changes.append(EpisodeChange(rule.name, change, severity, finding.title, finding.action, after))
    return changes


def acknowledge(state: State, action: AlertAction) -> list[EpisodeChange]:
    """
    Fold what a person did with an alert, whose title and action stay; one that isn't open stays as it is.

    A dismissed alert is resolved at once, and its rule stays silent until all was well again.
    """
    state.applied += 1
    for rule, before in state.episodes.items():
        acted_on = alert_id(state.tenant, state.account_id, rule, before.number) == action.alert_id
        if not acted_on or not before.severity or before.dismissed or before.muted:
            continue
        noted = replace(before, note=action.note or before.note)
        if action.kind == "acknowledged":
            after = replace(noted, acknowledged_by=action.author, acknowledged_at=action.occurred_at)
            change = "updated"
        elif action.kind == "dismissed":
            after = replace(noted, dismissed=True, dismissed_by=action.author)
            change = "resolved"
        else:
            continue
        _store(state, rule, after)
        return [EpisodeChange(rule, change, after.severity, after.title or rule, after.action, after)]
    return []


def resolve_all(state: State, title: str) -> list[EpisodeChange]:
    """Resolve every open episode of an account that isn't judged any more; the title says why."""
    changes = []
    for rule, before in sorted(state.episodes.items()):
        if before.severity:
            after = _ended(before)
            _store(state, rule, after)
            if not before.dismissed and not before.muted:
                changes.append(EpisodeChange(rule, "resolved", before.severity, title, "", after))
    return changes


def _ended(episode: Episode) -> Episode:
    return replace(episode, severity="", muted=False, title="", action="")


def _store(state: State, rule: str, episode: Episode) -> None:
    """Keep a rule's episode in the state, in the order of rule names, in which bytes are read as well."""
    state.episodes = dict(sorted((state.episodes | {rule: episode}).items()))
