"""The episodes of one account while its rules are asked, and the changes of them that are published."""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec.structs import replace

from processors.alerts.changes import EpisodeChange, ended, is_listed, keep, settled, split_episode_key
from processors.rules import SEVERITY_RANK, RuleSet
from processors.state.account import Episode, State

__all__ = ["NO_EPISODE", "ChangedEpisodes"]

NO_EPISODE = Episode()
"""The episode of which nothing is kept."""


@dataclass(slots=True)
class ChangedEpisodes:
    """The episodes of an account at one time, as they change; ``ended`` tells whether one has ended."""

    rules: RuleSet
    state: State
    now: int
    changes: dict[str, EpisodeChange] = field(default_factory=dict)
    ended: bool = False

    def in_order(self) -> list[EpisodeChange]:
        """Return the changes to publish, in the rules' order."""
        places = {name: place for place, name in enumerate(self.rules.rules)}
        return sorted(self.changes.values(), key=lambda each: (places.get(each.rule, -1), each.subject))

    def withdraw(self) -> None:
        """End what no rule in force stands for, and the episodes of people who are not known any more."""
        for key, episode in list(self.state.episodes.items()):
            name, subject = split_episode_key(key)
            rule = self.rules.rules.get(name)
            known = not subject or int(subject, 16) in self.state.people
            if known and rule is not None and rule.about_person == bool(subject):
                continue
            if episode.severity:
                title = (
                    "The rule is no longer in force" if rule is None else "The person is not known any more"
                )
                self.resolve(key, episode, title, "not_judged")
            elif episode.pending:
                self.keep(key, settled(episode))

    def wake(self) -> None:
        """End the snoozing whose time is over, and that of alerts beside which something as bad opened."""
        worst = max(
            (
                SEVERITY_RANK[each.severity]
                for each in self.changes.values()
                if each.change == "opened" and not each.episode.shadow
            ),
            default=0,
        )
        for key, episode in list(self.state.episodes.items()):
            if episode.snoozed_until is None or not is_listed(episode):
                continue
            beside = worst >= max(SEVERITY_RANK[episode.severity], SEVERITY_RANK["warning"])
            if episode.snoozed_until <= self.now or beside:
                rule, subject = split_episode_key(key)
                after = replace(episode, snoozed_until=None)
                self.keep(key, after)
                self.publish(
                    key,
                    EpisodeChange(rule, "updated", after.severity, after.title, after.action, after, subject),
                )

    def resolve(self, key: str, before: Episode, title: str, resolution: str) -> None:
        """End an episode, and say so where people were shown it."""
        rule, subject = split_episode_key(key)
        after = ended(before, self.now, resolution)
        self.keep(key, after)
        self.ended = True
        if not before.dismissed and not before.muted:
            self.publish(
                key,
                EpisodeChange(
                    rule, "resolved", before.severity, title, "", after, subject, resolution=resolution
                ),
            )

    def publish(self, key: str, change: EpisodeChange) -> None:
        """Add a change to those that are published, in the place of an earlier one of the same episode."""
        before = self.changes.get(key)
        if before is not None and before.change == "opened" and change.change == "updated":
            return  # it says so already
        self.changes[key] = change

    def keep(self, key: str, episode: Episode) -> None:
        """Keep an episode in the state, where there is anything to keep."""
        if episode == NO_EPISODE:
            self.state.episodes = {of: each for of, each in self.state.episodes.items() if of != key}
        else:
            keep(self.state, key, episode)
