"""
Alert episodes: how the findings of alert rules open, change and end the alerts of an account.

The first severity that a rule finds opens an episode, a worse one updates it, all-is-well resolves it, and
can't-tell ends it only after some time. An episode changes by such a transition only, never by computing
anew. What a person does with an alert (``processors.alerts.actions``) is kept beside what the alert says:

    the rule finds    well   notice   warning  warning  notice   can't tell  well      warning
    the episode              opened   updated                                resolved  opened
                             number 1                                                  number 2
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from msgspec.structs import replace

from processors.alerts.changes import EpisodeChange, episode_key, is_listed, keep, split_episode_key
from processors.measures import View
from processors.rules import SEVERITY_RANK, Answers, JudgedHealth, Rule, RuleSet, Situation, Tier
from processors.state.account import Episode, State
from processors.state.usage_parts import USERS
from schemas.times import DAY

__all__ = [
    "NOT_JUDGED_AFTER",
    "RulesMemory",
    "RulesUpdate",
    "resolve_all",
    "same_health",
    "told_measures",
    "unchanged",
    "update_episodes",
]

NOT_JUDGED_AFTER = 2 * DAY
"""An alert ends after its rule couldn't tell for so long, unless a source is silent for every account."""

_NO_EPISODE = Episode()


@dataclass(slots=True)
class RulesMemory:
    """
    Memory of what rules read when they last changed nothing: levels, episodes, and silent sources.

    ``due`` is when time alone moves an episode. ``judged`` is what the health was made of.
    """

    rules: RuleSet
    levels: tuple[object, ...]
    episodes: dict[str, Episode]
    frozen: Collection[str]
    due: int | None
    judged: tuple[object, str] | None = None


@dataclass(slots=True)
class RulesUpdate:
    """Result of asking the rules: the changes to publish in the rules' order, and when to ask again."""

    changes: list[EpisodeChange]
    due: int | None
    memory: RulesMemory | None


def unchanged(
    memory: RulesMemory, situation: Situation, changed_usage: int | None, frozen: Collection[str]
) -> bool:
    """
    Tell whether no rule can find anything else than when the rules last changed nothing, the health apart.

    After nothing but more usage ``changed_usage`` are the parts of it that may differ.
    """
    view, rules, levels = situation.view, memory.rules, memory.levels
    if memory.episodes is not view.state.episodes or memory.frozen != frozen:
        return False
    if memory.due is not None and memory.due <= view.now:
        return False
    people = rules.asks_persons and view.state.people
    if changed_usage is None:
        if people:
            return False
        for index in range(rules.plain):
            if rules.level(index, rules.inputs[index].read(situation)) != levels[index]:
                return False
        return True
    for index, parts in rules.by_usage:
        if parts & changed_usage and rules.level(index, rules.inputs[index].read(situation)) != levels[index]:
            return False
    return not (changed_usage & USERS and people)


def same_health(memory: RulesMemory, situation: Situation) -> bool:
    """Tell whether the health of a situation is the one that the rules last judged."""
    rules = memory.rules
    return all(
        rules.level(index, rules.inputs[index].read(situation)) == memory.levels[index]
        for index in range(rules.plain, rules.of_person)
    )


def update_episodes(
    rules: RuleSet,
    situation: Situation,
    health: Callable[[frozenset[str]], JudgedHealth],
    *,
    frozen: Collection[str] = (),
    switched: bool = False,
    replaced: bool = False,
    score_before: int | None = None,
) -> RulesUpdate:
    """
    Ask every rule; change the state's episodes and return what changed.

    ``health`` returns the health that rules judge, without what is told of these measures. A rule that rests
    on a ``frozen`` source can't tell. Where another model has ``switched`` the band, or other rules have
    ``replaced`` those before, nothing has happened to the customer: what this opens is muted until it gets
    worse. ``score_before`` is the score before this one.
    """
    view = situation.view
    state = view.state
    if view.churned:
        return RulesUpdate(resolve_all(state, "No customer any more", "churned", view.now), None, None)
    before = state.episodes
    asked = _Asked(rules, situation, frozen, switched, replaced, score_before)
    asked.ask(health)
    if asked.ended:  # what one alert kept from opening may open now
        asked.ask(health)
    asked.withdraw()
    asked.wake()
    due = _due(rules, state, view.now)
    memory = None
    if state.episodes is before and not (switched or replaced):
        memory = RulesMemory(rules, tuple(asked.answers.levels), before, frozen, due)
    return RulesUpdate(asked.in_order(), due, memory)


def resolve_all(state: State, title: str, resolution: str, now: int) -> list[EpisodeChange]:
    """Resolve every open episode of an account that isn't judged any more; the title says why."""
    changes = []
    for key, before in sorted(state.episodes.items()):
        if before.severity:
            rule, subject = split_episode_key(key)
            after = _ended(before, now, resolution)
            keep(state, key, after)
            if is_listed(before) or (before.shadow and not before.dismissed):
                changes.append(
                    EpisodeChange(
                        rule, "resolved", before.severity, title, "", after, subject, resolution=resolution
                    )
                )
        elif before.pending:
            keep(state, key, _settled(before))
    return changes


@dataclass(slots=True)
class _Asked:
    """One asking of all rules about one account at one time."""

    rules: RuleSet
    situation: Situation
    frozen: Collection[str]
    switched: bool
    replaced: bool
    score_before: int | None
    answers: Answers = field(init=False)
    changes: dict[str, EpisodeChange] = field(default_factory=dict)
    ended: bool = False

    def __post_init__(self) -> None:
        self.answers = Answers(self.rules, self.situation)

    @property
    def view(self) -> View:
        return self.situation.view

    @property
    def state(self) -> State:
        return self.view.state

    def ask(self, health: Callable[[frozenset[str]], JudgedHealth]) -> None:
        """Ask the rules that don't judge the health, then, without what these tell, the others."""
        rules = self.rules.rules.values()
        for rule in rules:
            if not rule.reads_health:
                self._ask(rule)
        self.situation.health = health(told_measures(self.rules, self.state))
        self.answers.with_health()
        for rule in rules:
            if rule.reads_health:
                self._ask(rule)

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
                self._resolve(key, episode, title, "not_judged")
            elif episode.pending:
                self._keep(key, _settled(episode))

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
            if episode.snoozed_until <= self.view.now or beside:
                rule, subject = split_episode_key(key)
                after = replace(episode, snoozed_until=None)
                self._keep(key, after)
                self._publish(
                    key,
                    EpisodeChange(rule, "updated", after.severity, after.title, after.action, after, subject),
                )

    def _ask(self, rule: Rule) -> None:
        if not rule.about_person:
            self._move(rule, "", self.answers)
            return
        for user, person in sorted(self.state.people.items()):
            if person.role:
                about = self.situation.about(user, person)
                self._move(rule, f"{user:08x}", self.answers.about(about))

    def _move(self, rule: Rule, subject: str, answers: Answers) -> None:
        """Move one episode on by what its rule finds."""
        key = episode_key(rule.name, subject)
        before = self.state.episodes.get(key, _NO_EPISODE)
        held = rule.reads_health and not before.severity and self.situation.health.held
        if held or not rule.sources.isdisjoint(self.frozen):
            # It can't tell, and what was waiting waits for new evidence.
            if before.pending or before.ending:
                self._keep(key, replace(_settled(before), ending="", ending_since=-1))
            return
        tier, doubtful = _finding(rule, answers)
        if before.severity:
            self._move_open(rule, key, before, tier, doubtful=doubtful, answers=answers)
        elif tier is None:
            if before.pending:
                self._keep(key, _settled(before))
        else:
            self._move_closed(rule, key, before, tier, answers)

    def _move_closed(self, rule: Rule, key: str, before: Episode, tier: Tier, answers: Answers) -> None:
        now = self.view.now
        if rule.opens_if is not None and rule.opens_if.ask(answers) is not True:
            if before.pending:
                self._keep(key, _settled(before))
            return
        waiting = self._waiting(before, tier, muted=self.replaced or (self.switched and rule.reads_health))
        if now - waiting.pending_since < tier.hold or self._hindered(rule, key, waiting):
            if waiting != before:
                self._keep(key, waiting)
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
        self._keep(key, after)
        if not after.muted:
            self._say(rule, key, "opened", after, answers)

    def _waiting(self, before: Episode, tier: Tier, *, muted: bool) -> Episode:
        """Return an episode that isn't open, as its cause goes on or begins."""
        now = self.view.now
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
        now = self.view.now
        if rule.cooldown and waiting.ended_at >= 0 and now < waiting.ended_at + rule.cooldown:
            return True
        if rule.most is not None:
            most, within = rule.most
            if sum(at > now - within for at in waiting.openings) >= most:
                return True
        if rule.one_of is None:
            return False
        for other, episode in self.state.episodes.items():
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
            elif before.ending or before.pending:
                self._keep(key, replace(before, ending="", ending_since=-1, pending="", pending_since=-1))
            return
        stays = None if rule.stays is None else rule.stays.ask(answers)
        if stays:
            if before.ending or before.pending:
                self._keep(key, replace(before, ending="", ending_since=-1, pending="", pending_since=-1))
            return
        unsure = doubtful or (rule.stays is not None and stays is None)
        ending, wait = ("not_judged", NOT_JUDGED_AFTER) if unsure else ("recovered", rule.keep_firing)
        now = self.view.now
        since = before.ending_since if before.ending == ending else now
        if now - since < wait:
            if before.ending != ending or before.pending:
                self._keep(
                    key, replace(before, ending=ending, ending_since=since, pending="", pending_since=-1)
                )
            return
        title = "Not enough is known any more" if unsure else rule.resolved.fill(answers.situation)
        self._resolve(key, before, title, ending)

    def _worsen(self, rule: Rule, key: str, before: Episode, tier: Tier, answers: Answers) -> None:
        now = self.view.now
        since = before.pending_since if before.pending == tier.severity else now
        calm = replace(before, ending="", ending_since=-1)
        if now - since < tier.hold:
            waiting = replace(calm, pending=tier.severity, pending_since=since)
            if waiting != before:
                self._keep(key, waiting)
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
        self._keep(key, after)
        if not after.dismissed and not after.muted:
            self._say(rule, key, change, after, answers)

    def _say(self, rule: Rule, key: str, change: str, after: Episode, answers: Answers) -> None:
        reason = None if rule.reason is None else rule.reason.fill(answers.situation)
        self._publish(
            key,
            EpisodeChange(
                rule.name, change, after.severity, after.title, after.action, after,
                split_episode_key(key)[1], reason,
            ),
        )  # fmt: skip

    def _resolve(self, key: str, before: Episode, title: str, resolution: str) -> None:
        rule, subject = split_episode_key(key)
        after = _ended(before, self.view.now, resolution)
        self._keep(key, after)
        self.ended = True
        if not before.dismissed and not before.muted:
            self._publish(
                key,
                EpisodeChange(
                    rule, "resolved", before.severity, title, "", after, subject, resolution=resolution
                ),
            )

    def _publish(self, key: str, change: EpisodeChange) -> None:
        before = self.changes.get(key)
        if before is not None and before.change == "opened" and change.change == "updated":
            return  # it says so already
        self.changes[key] = change

    def _keep(self, key: str, episode: Episode) -> None:
        if episode == _NO_EPISODE:
            self.state.episodes = {of: each for of, each in self.state.episodes.items() if of != key}
        else:
            keep(self.state, key, episode)


def told_measures(rules: RuleSet, state: State) -> frozenset[str]:
    """Return the measures that open alerts of their own tell of, also those that a person has closed."""
    if not any(episode.severity for episode in state.episodes.values()):
        return frozenset()
    open_rules = (
        rules.rules.get(split_episode_key(key)[0])
        for key, episode in state.episodes.items()
        if episode.severity
    )
    return frozenset(
        name for rule in open_rules if rule is not None and not rule.shadow for name in rule.tells
    )


def _finding(rule: Rule, answers: Answers) -> tuple[Tier | None, bool]:
    """Return the worst tier whose condition holds, and whether it is doubtful that none does."""
    doubtful = False
    for tier in rule.tiers:
        holds = tier.question.ask(answers)
        if holds:
            return tier, False
        doubtful = doubtful or holds is None
    return None, doubtful


def _settled(episode: Episode) -> Episode:
    """Return an episode of which nothing waits any more."""
    if episode.severity:
        return replace(episode, pending="", pending_since=-1)
    return replace(episode, pending="", pending_since=-1, since=-1, score_before=None, muted=False)


def _ended(episode: Episode, at: int, resolution: str) -> Episode:
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


def _due(rules: RuleSet, state: State, now: int) -> int | None:
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
