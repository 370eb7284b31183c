"""
Transitions of alert episodes: how what a rule finds opens, worsens and ends an alert.

The first severity that a rule finds opens an episode, a worse one updates it, all-is-well resolves it, and
can't-tell ends it only after some time. An episode changes by such a transition only, never by computing
anew. What a person does with an alert (``processors.alerts.actions``) is kept beside what the alert says:

    the rule finds    well   notice   warning  warning  notice   can't tell  well      warning
    the episode              opened   updated                                resolved  opened
                             number 1                                                  number 2
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from msgspec.structs import replace

from processors.alerts.changed_episodes import NO_EPISODE, ChangedEpisodes
from processors.alerts.changes import EpisodeChange, episode_key, settled, split_episode_key
from processors.alerts.episode_due import NOT_JUDGED_AFTER
from processors.rules import SEVERITY_RANK, Answers, Rule, RuleSet, Situation, Tier
from processors.state.account import Episode, State

__all__ = ["EpisodeTransitions"]


@dataclass(slots=True)
class EpisodeTransitions:
    """
    The transitions of an account's episodes at one time.

    A rule that rests on a ``frozen`` source can't tell. What opens because another model has ``switched`` the
    band, or because other rules have ``replaced`` those before, is muted. ``episodes`` has the result.
    """

    rules: RuleSet
    situation: Situation
    frozen: Collection[str]
    switched: bool
    replaced: bool
    score_before: int | None
    episodes: ChangedEpisodes = field(init=False)

    def __post_init__(self) -> None:
        self.episodes = ChangedEpisodes(self.rules, self._state, self._now)

    @property
    def _state(self) -> State:
        return self.situation.view.state

    @property
    def _now(self) -> int:
        return self.situation.view.now

    def move(self, rule: Rule, subject: str, answers: Answers) -> None:
        """Move the episode of a rule and a subject, '' for the account, on by what the rule finds."""
        key = episode_key(rule.name, subject)
        before = self._state.episodes.get(key, NO_EPISODE)
        held = rule.reads_health and not before.severity and self.situation.health.held
        if held or not rule.sources.isdisjoint(self.frozen):
            # It can't tell, and what was waiting waits for new evidence.
            if before.pending or before.ending:
                self.episodes.keep(key, replace(settled(before), ending="", ending_since=-1))
            return
        tier, doubtful = _finding(rule, answers)
        if before.severity:
            self._move_open(rule, key, before, tier, doubtful=doubtful, answers=answers)
        elif tier is None:
            if before.pending:
                self.episodes.keep(key, settled(before))
        else:
            self._move_closed(rule, key, before, tier, answers)

    def _move_closed(self, rule: Rule, key: str, before: Episode, tier: Tier, answers: Answers) -> None:
        now = self._now
        if rule.opens_if is not None and rule.opens_if.ask(answers) is not True:
            if before.pending:
                self.episodes.keep(key, settled(before))
            return
        waiting = self._waiting(before, tier, muted=self.replaced or (self.switched and rule.reads_health))
        if now - waiting.pending_since < tier.hold or self._hindered(rule, key, waiting):
            if waiting != before:
                self.episodes.keep(key, waiting)
            return
        title = tier.title.fill(answers.situation)
        openings = [at for at in waiting.openings if rule.most is not None and at > now - rule.most[1]]
        after = Episode(
            number=before.number + 1,
            severity=tier.severity,
            opened_at=now,
            muted=waiting.muted,
            title=title,
            action=tier.action,
            lane=rule.lane,
            since=waiting.since,
            score_before=waiting.score_before,
            ended_at=before.ended_at,
            openings=[*openings, now] if rule.most is not None else [],
            shadow=rule.shadow,
        )
        self.episodes.keep(key, after)
        if not after.muted:
            self._say(rule, key, "opened", after, answers)

    def _waiting(self, before: Episode, tier: Tier, *, muted: bool) -> Episode:
        """Return an episode that isn't open, as its cause goes on or begins."""
        now = self._now
        if not before.pending:
            return replace(
                before, pending=tier.severity, pending_since=now, since=now, muted=muted,
                score_before=self.score_before,
            )  # fmt: skip
        if before.pending == tier.severity:
            return before
        worse = SEVERITY_RANK[tier.severity] > SEVERITY_RANK[before.pending]
        return replace(
            before,
            pending=tier.severity,
            pending_since=now if worse else before.pending_since,
            muted=before.muted and not (worse and not muted),
        )

    def _hindered(self, rule: Rule, key: str, waiting: Episode) -> bool:
        """Tell whether an alert may not open yet, or not beside another one."""
        now = self._now
        if rule.cooldown and waiting.ended_at >= 0 and now < waiting.ended_at + rule.cooldown:
            return True
        if rule.most is not None:
            most, within = rule.most
            if sum(at > now - within for at in waiting.openings) >= most:
                return True
        if rule.one_of is None:
            return False
        for other, episode in self._state.episodes.items():
            if episode.severity and other != key and episode.shadow == rule.shadow:
                beside = self.rules.rules.get(split_episode_key(other)[0])
                if beside is not None and beside.one_of == rule.one_of:
                    return True
        return False

    def _move_open(
        self, rule: Rule, key: str, before: Episode, tier: Tier | None, *, doubtful: bool, answers: Answers
    ) -> None:
        if tier is not None:
            if SEVERITY_RANK[tier.severity] > SEVERITY_RANK[before.severity]:
                self._worsen(rule, key, before, tier, answers)
            else:
                self._go_on(key, before)
            return
        stays = None if rule.stays is None else rule.stays.ask(answers)
        if stays:
            self._go_on(key, before)
            return
        unsure = doubtful or (rule.stays is not None and stays is None)
        ending, wait = ("not_judged", NOT_JUDGED_AFTER) if unsure else ("recovered", rule.keep_firing)
        now = self._now
        since = before.ending_since if before.ending == ending else now
        if now - since < wait:
            if before.ending != ending or before.pending:
                self.episodes.keep(
                    key, replace(before, ending=ending, ending_since=since, pending="", pending_since=-1)
                )
            return
        title = "Not enough is known any more" if unsure else rule.resolved.fill(answers.situation)
        self.episodes.resolve(key, before, title, ending)

    def _go_on(self, key: str, before: Episode) -> None:
        """Keep an open episode as bad as it is, with nothing that waits."""
        if before.ending or before.pending:
            calm = replace(before, ending="", ending_since=-1, pending="", pending_since=-1)
            self.episodes.keep(key, calm)

    def _worsen(self, rule: Rule, key: str, before: Episode, tier: Tier, answers: Answers) -> None:
        now = self._now
        since = before.pending_since if before.pending == tier.severity else now
        calm = replace(before, ending="", ending_since=-1)
        if now - since < tier.hold:
            waiting = replace(calm, pending=tier.severity, pending_since=since)
            if waiting != before:
                self.episodes.keep(key, waiting)
            return
        muted = self.replaced or (self.switched and rule.reads_health)
        reopened = before.dismissed and before.resolution == "done"
        after = replace(
            calm,
            severity=tier.severity,
            title=tier.title.fill(answers.situation),
            action=tier.action,
            pending="",
            pending_since=-1,
            snoozed_until=None,
            worsened_at=now,
        )
        change = "updated"
        if before.muted and not muted:
            after, change = replace(after, opened_at=now, muted=False), "opened"
        elif reopened:
            after = Episode(
                number=before.number + 1, severity=after.severity, opened_at=now, title=after.title,
                action=after.action, lane=rule.lane, since=before.since, score_before=before.score_before,
                openings=before.openings, shadow=rule.shadow,
            )  # fmt: skip
            change = "opened"
        self.episodes.keep(key, after)
        if not after.dismissed and not after.muted:
            self._say(rule, key, change, after, answers)

    def _say(self, rule: Rule, key: str, change: str, after: Episode, answers: Answers) -> None:
        reason = None if rule.reason is None else rule.reason.fill(answers.situation)
        self.episodes.publish(
            key,
            EpisodeChange(
                rule.name, change, after.severity, after.title, after.action, after,
                split_episode_key(key)[1], reason,
            ),
        )  # fmt: skip


def _finding(rule: Rule, answers: Answers) -> tuple[Tier | None, bool]:
    """Return the worst tier whose condition holds, and whether it is doubtful that none does."""
    doubtful = False
    for tier in rule.tiers:
        holds = tier.question.ask(answers)
        if holds:
            return tier, False
        doubtful = doubtful or holds is None
    return None, doubtful
