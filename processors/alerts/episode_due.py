"""Times at which time alone moves the alert episodes of an account."""

from __future__ import annotations

from collections.abc import Iterator

from processors.alerts.changes import split_episode_key
from processors.rules import RuleSet
from processors.state.account import State
from schemas.times import DAY

__all__ = ["NOT_JUDGED_AFTER", "next_due"]

NOT_JUDGED_AFTER = 2 * DAY
"""An alert ends after its rule couldn't tell for so long, unless a source is silent for every account."""


def next_due(rules: RuleSet, state: State, now: int) -> int | None:
    """Return the next time at which time alone moves an episode."""
    later = [at for at in _times(rules, state, now) if at > now]
    return min(later, default=None)


def _times(rules: RuleSet, state: State, now: int) -> Iterator[int]:
    for key, episode in state.episodes.items():
        rule = rules.rules.get(split_episode_key(key)[0])
        if episode.snoozed_until is not None:
            yield episode.snoozed_until
        if rule is None:
            continue
        if episode.pending:
            for tier in rule.tiers:
                if tier.severity == episode.pending:
                    yield episode.pending_since + tier.hold
            if rule.cooldown and episode.ended_at >= 0:
                yield episode.ended_at + rule.cooldown
            if rule.most is not None:
                yield from (at + rule.most[1] for at in episode.openings)
        if episode.ending:
            wait = NOT_JUDGED_AFTER if episode.ending == "not_judged" else rule.keep_firing
            yield episode.ending_since + wait
    if rules.asks_band_days and state.band_since >= 0:
        yield state.band_since + ((now - state.band_since) // DAY + 1) * DAY
