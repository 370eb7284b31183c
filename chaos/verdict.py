"""Compare a run that was broken with one that wasn't."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.faults import FAULTS
from chaos.load import Company
from chaos.run import Happened, Run

__all__ = ["Verdict", "judge", "page"]

_SHOWN = 5
_SAID = {True: "yes", False: "NO"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What became of a broken run.

    ``lost`` and ``doubled`` sum over the accounts, against what the company was made of, not against the
    other run. ``differences`` names the first few of what is not equal.
    """

    seed: int
    happened: list[Happened]
    events: int
    lost: int
    doubled: int
    state_equal: bool
    alerts_equal: bool
    sink_equal: bool
    letters_equal: bool
    deaths: dict[str, int]
    seconds: float
    differences: list[str]

    @property
    def good(self) -> bool:
        """Tell whether nothing differs."""
        return not self.lost and not self.doubled and not self.differences

    def table(self) -> str:
        """Return a row a fault."""
        rows = [
            f"Seed {self.seed}: {self.events:,} events, {len(self.happened)} faults, {self.seconds:.0f} s.",
            "",
            "| fault | at s | lasted s | recovered after s | lost | doubled |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
        ]
        rows += [
            f"| {one.fault} | {one.began:.0f} | {one.kept_up:.1f} | {one.recovered:.1f} | "
            f"{one.lost} | {one.doubled} |"
            for one in self.happened
        ]
        rows += [
            "",
            f"At the end: lost {self.lost}, doubled {self.doubled}, states equal {_SAID[self.state_equal]}, "
            f"alerts equal {_SAID[self.alerts_equal]}, sink equal {_SAID[self.sink_equal]}, "
            f"dead letters as sent {_SAID[self.letters_equal]}; roles that ended by themselves: "
            + _times(self.deaths),
        ]
        rows += [f"- differs: {line}" for line in self.differences[:_SHOWN]]
        return "\n".join(rows)

    @staticmethod
    def summary(verdicts: Sequence[Verdict]) -> dict[str, Any]:
        """Return what all of them come to."""
        recoveries = [one.recovered for verdict in verdicts for one in verdict.happened]
        return {
            "seeds": [verdict.seed for verdict in verdicts],
            "faults": len(recoveries),
            "events": sum(verdict.events for verdict in verdicts),
            "lost": sum(verdict.lost for verdict in verdicts),
            "doubled": sum(verdict.doubled for verdict in verdicts),
            "state_equal": all(verdict.state_equal for verdict in verdicts),
            "alerts_equal": all(verdict.alerts_equal for verdict in verdicts),
            "sink_equal": all(verdict.sink_equal for verdict in verdicts),
            "letters_equal": all(verdict.letters_equal for verdict in verdicts),
            "longest_recovery_s": round(max(recoveries, default=0.0), 1),
        }


def page(verdicts: Sequence[Verdict], events: int, jobs: int) -> str:
    """Return docs/reliability.md for runs of the same faults, so many seeds at a time."""
    seeds = [str(verdict.seed) for verdict in verdicts]
    rows = [
        "| fault | lost | doubled | state equal | alerts equal | lasted s | recovered after s |",
        "| --- | ---: | ---: | --- | --- | ---: | ---: |",
    ]
    for name in dict.fromkeys(fault.name for fault in FAULTS):
        found = [one for verdict in verdicts for one in verdict.happened if one.fault == name]
        if not found:
            continue
        rows.append(
            f"| {name} | {sum(one.lost for one in found)} | {sum(one.doubled for one in found)} "
            f"| {_SAID[all(verdict.state_equal for verdict in verdicts)]} "
            f"| {_SAID[all(verdict.alerts_equal for verdict in verdicts)]} "
            f"| {', '.join(f'{one.kept_up:.0f}' for one in found)} "
            f"| {', '.join(f'{one.recovered:.1f}' for one in found)} |"
        )
    runs = [
        f"| {verdict.seed} | {verdict.events:,} | {len(verdict.happened)} "
        f"| {verdict.lost} | {verdict.doubled} "
        f"| {_SAID[verdict.state_equal]} | {_SAID[verdict.alerts_equal]} | {_SAID[verdict.sink_equal]} "
        f"| {_SAID[verdict.letters_equal]} | {_times(verdict.deaths)} |"
        for verdict in verdicts
    ]
    lists = {"rows": "\n".join(rows), "runs": "\n".join(runs)}
    return _PAGE.format(seeds=" ".join(seeds), events=events, jobs=jobs, **lists)


def _times(deaths: dict[str, int]) -> str:
    return ", ".join(f"{role} {times}" for role, times in deaths.items()) or "none"


_PAGE = (Path(__file__).parent / "reliability.md.in").read_text()


def judge(seed: int, company: Company, clean: Run, broken: Run) -> Verdict:
    """Compare, and say what is not equal."""
    whole, found = clean.knowledge, broken.knowledge
    totals = company.totals()
    off = {account: found.applied.get(account, 0) - events for account, events in totals.items()}
    differences = [f"{account}: {number:+d} events" for account, number in off.items() if number]
    differences += [f"{account}: not known to the load" for account in found.applied.keys() - totals.keys()]
    state = _differing("state", whole.states, found.states)
    alerts = _differing("alert", whole.alerts, found.alerts)
    sink = [*_differing("sink", whole.sink, found.sink), *_not_of(whole.histories, found.histories)]
    letters = broken.letters == broken.letters_sent
    if not letters:
        differences.append(f"{broken.letters} dead letters, not {broken.letters_sent}")
    return Verdict(
        seed,
        broken.happened,
        sum(totals.values()),
        -sum(min(0, number) for number in off.values()),
        sum(max(0, number) for number in off.values()),
        not state,
        not alerts,
        not sink,
        letters,
        broken.deaths,
        broken.seconds,
        [*differences, *state, *alerts, *sink],
    )


def _not_of(
    whole: dict[str, dict[int, tuple[float, str]]], found: dict[str, dict[int, tuple[float, str]]]
) -> Iterator[str]:
    """Name entries of histories that aren't in the undisturbed ones, and newest entries that are missing."""
    for account, entries in whole.items():
        have = found[account]
        wrong = {at: entry for at, entry in have.items() if entries.get(at) != entry}
        if wrong or max(entries) not in have:
            yield f"history {account}: {have} is no part of {entries} that has its end"


def _differing(kind: str, whole: dict[Any, Any], found: dict[Any, Any]) -> list[str]:
    return [
        f"{kind} {key}: {whole.get(key)} undisturbed, {found.get(key)} broken"
        for key in sorted(whole.keys() | found.keys(), key=str)
        if whole.get(key) != found.get(key)
    ]
