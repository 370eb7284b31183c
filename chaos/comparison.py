"""Comparison of a disturbed run with an undisturbed one, as a table and as docs/reliability.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.company import ChaosCompany
from chaos.faults import FAULTS
from chaos.invariants import violations
from chaos.run import Run, RunFault
from chaos.told_state import told_violations

__all__ = ["RunComparison", "compare_runs", "reliability_page"]

_SHOWN_DIFFERENCES = 5
_YES_NO = {True: "yes", False: "NO"}


@dataclass(frozen=True, slots=True)
class RunComparison:
    """
    A disturbed run compared with the undisturbed run of the same company.

    ``lost`` and ``doubled`` count events over all accounts, relative to the company's exact totals, not to
    the other run. ``differences`` names everything that is not equal, and everything that is wrong with
    either run by itself (``chaos.invariants``).
    """

    seed: int
    faults: list[RunFault]
    events: int
    lost: int
    doubled: int
    state_equal: bool
    alerts_equal: bool
    told_right: bool
    sink_equal: bool
    letters_equal: bool
    deaths: dict[str, int]
    seconds: float
    differences: list[str]

    @property
    def good(self) -> bool:
        """Return whether nothing differs."""
        return not self.lost and not self.doubled and not self.differences

    def table(self) -> str:
        """Return a table with a row for each fault, and the result of the run."""
        rows = [
            f"Seed {self.seed}: {self.events:,} events, {len(self.faults)} faults, {self.seconds:.0f} s.",
            "",
            "| fault | at s | lasted s | recovered after s | lost | doubled |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
        ]
        rows += [
            f"| {fault.name} | {fault.began:.0f} | {fault.kept_up:.1f} | {fault.recovered:.1f} | "
            f"{fault.lost} | {fault.doubled} |"
            for fault in self.faults
        ]
        rows += [
            "",
            f"At the end: lost {self.lost}, doubled {self.doubled}, "
            f"states equal {_YES_NO[self.state_equal]}, alerts equal {_YES_NO[self.alerts_equal]}, "
            f"notifications right {_YES_NO[self.told_right]}, sink equal {_YES_NO[self.sink_equal]}, "
            f"dead letters as sent {_YES_NO[self.letters_equal]}; roles that ended by themselves: "
            + _times(self.deaths),
        ]
        rows += [f"- differs: {line}" for line in self.differences[:_SHOWN_DIFFERENCES]]
        return "\n".join(rows)

    @staticmethod
    def summary(comparisons: Sequence[RunComparison]) -> dict[str, Any]:
        """Return the totals of several comparisons."""
        recoveries = [fault.recovered for comparison in comparisons for fault in comparison.faults]
        return {
            "seeds": [comparison.seed for comparison in comparisons],
            "faults": len(recoveries),
            "events": sum(comparison.events for comparison in comparisons),
            "lost": sum(comparison.lost for comparison in comparisons),
            "doubled": sum(comparison.doubled for comparison in comparisons),
            "state_equal": all(comparison.state_equal for comparison in comparisons),
            "alerts_equal": all(comparison.alerts_equal for comparison in comparisons),
            "told_right": all(comparison.told_right for comparison in comparisons),
            "sink_equal": all(comparison.sink_equal for comparison in comparisons),
            "letters_equal": all(comparison.letters_equal for comparison in comparisons),
            "longest_recovery_s": round(max(recoveries, default=0.0), 1),
        }


def reliability_page(comparisons: Sequence[RunComparison], events: int, jobs: int) -> str:
    """Return docs/reliability.md for runs of the same faults; ``jobs`` of them ran at a time."""
    seeds = [str(comparison.seed) for comparison in comparisons]
    rows = [
        "| fault | lost | doubled | state equal | alerts equal | lasted s | recovered after s |",
        "| --- | ---: | ---: | --- | --- | ---: | ---: |",
    ]
    for name in dict.fromkeys(fault.name for fault in FAULTS):
        of_name = [fault for comparison in comparisons for fault in comparison.faults if fault.name == name]
        if not of_name:
            continue
        rows.append(
            f"| {name} | {sum(fault.lost for fault in of_name)} | {sum(fault.doubled for fault in of_name)} "
            f"| {_YES_NO[all(comparison.state_equal for comparison in comparisons)]} "
            f"| {_YES_NO[all(comparison.alerts_equal for comparison in comparisons)]} "
            f"| {', '.join(f'{fault.kept_up:.0f}' for fault in of_name)} "
            f"| {', '.join(f'{fault.recovered:.1f}' for fault in of_name)} |"
        )
    runs = [
        f"| {comparison.seed} | {comparison.events:,} | {len(comparison.faults)} "
        f"| {comparison.lost} | {comparison.doubled} "
        f"| {_YES_NO[comparison.state_equal]} | {_YES_NO[comparison.alerts_equal]} "
        f"| {_YES_NO[comparison.told_right]} | {_YES_NO[comparison.sink_equal]} "
        f"| {_YES_NO[comparison.letters_equal]} "
        f"| {_times(comparison.deaths)} |"
        for comparison in comparisons
    ]
    lists = {"rows": "\n".join(rows), "runs": "\n".join(runs)}
    return _PAGE.format(seeds=" ".join(seeds), events=events, jobs=jobs, **lists)


def _times(deaths: dict[str, int]) -> str:
    return ", ".join(f"{role} {times}" for role, times in deaths.items()) or "none"


_PAGE = (Path(__file__).parent / "reliability.md.in").read_text()


def compare_runs(seed: int, company: ChaosCompany, undisturbed: Run, disturbed: Run) -> RunComparison:
    """Return the comparison of two runs of a company."""
    expected, actual = undisturbed.final, disturbed.final
    totals = company.totals()
    off = {account: actual.applied.get(account, 0) - events for account, events in totals.items()}
    differences = [
        f"{name} run: {what}"
        for name, final in (("undisturbed", expected), ("disturbed", actual))
        for what in violations(final, totals)
    ]
    state = _differing("state", expected.states, actual.states)
    alerts = _differing("alert", expected.alerts, actual.alerts)
    told = [
        *_differing("tracked alert", expected.owners.open_alerts, actual.owners.open_alerts),
        *told_violations(actual.owners, actual.alerts),
    ]
    sink = [
        *_differing("sink", expected.sink, actual.sink),
        *_history_differences(expected.histories, actual.histories),
    ]
    letters = disturbed.dead_letters == disturbed.expected_dead_letters
    if not letters:
        differences.append(f"{disturbed.dead_letters} dead letters, not {disturbed.expected_dead_letters}")
    return RunComparison(
        seed,
        disturbed.faults,
        sum(totals.values()),
        -sum(min(0, number) for number in off.values()),
        sum(max(0, number) for number in off.values()),
        not state,
        not alerts,
        not told,
        not sink,
        letters,
        disturbed.deaths,
        disturbed.seconds,
        [*differences, *state, *alerts, *told, *sink],
    )


def _history_differences(
    expected: dict[str, dict[int, tuple[float, str]]], actual: dict[str, dict[int, tuple[float, str]]]
) -> Iterator[str]:
    """Yield accounts whose history has an entry that the undisturbed one lacks, or lacks its newest one."""
    for account, entries in expected.items():
        own = actual[account]
        wrong = {at: entry for at, entry in own.items() if entries.get(at) != entry}
        if wrong or max(entries) not in own:
            yield f"history {account}: {own} is not a part of {entries} that includes its newest entry"


def _differing(kind: str, expected: dict[Any, Any], actual: dict[Any, Any]) -> list[str]:
    return [
        f"{kind} {key}: {expected.get(key)} undisturbed, {actual.get(key)} disturbed"
        for key in sorted(expected.keys() | actual.keys(), key=str)
        if expected.get(key) != actual.get(key)
    ]
