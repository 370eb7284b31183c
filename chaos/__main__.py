"""The command of ``make chaos``: run a company undisturbed and disturbed, compare, print the result."""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bellbuoy.operations.delivery.drain import NotDrainedError
from chaos.company import ChaosCompany
from chaos.comparison import RunComparison, compare_runs, reliability_page
from chaos.faults import FAULTS, SHORT
from chaos.run import run_company, schedule

_EVENTS = 1_200_000  # silent accounts send none: about a million are left


def main() -> None:
    """Run every seed; the last line printed is JSON, the exit code is 1 when anything differs."""
    parser = argparse.ArgumentParser(
        prog="chaos", description="Break the real stack and compare it with a run that nothing disturbs."
    )
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="a company and a schedule each")
    parser.add_argument("--events", type=int, default=_EVENTS, help="about how many usage events")
    parser.add_argument("--accounts", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=1, help="seeds at a time; recovery takes longer then")
    parser.add_argument("--short", action="store_true", help="only nine of the faults")
    parser.add_argument("--only", help="only faults whose name contains this, twenty times together")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md if all seeds end")
    parser.add_argument("--keep", type=Path, help="keep logs and data in this folder, which must not exist")
    chosen = parser.parse_args()
    faults = SHORT if chosen.short else FAULTS
    if chosen.only:
        faults = tuple(fault for fault in FAULTS if chosen.only in fault.name) * 20
        faults = faults[:20]
        if not faults:
            names = "\n".join(f"  {fault.name}" for fault in FAULTS)
            parser.error(f"--only {chosen.only!r}: no fault has this in its name; the names are\n{names}")
    folder = chosen.keep or Path(tempfile.mkdtemp(prefix="bellbuoy-chaos-"))
    folder.mkdir(parents=True, exist_ok=chosen.keep is None)
    comparisons: list[RunComparison] = []
    stuck: dict[int, str] = {}

    def compare(seed: int) -> RunComparison:
        def say(line: str) -> None:
            print(f"[{seed}] {line}", flush=True)

        company, chance = ChaosCompany(seed, chosen.events, chosen.accounts), random.Random(seed)
        say("the undisturbed run")
        undisturbed = run_company(company, folder / f"clean-{seed}", {}, None, say)
        say("the disturbed run")
        planned = schedule(faults, chance)
        disturbed = run_company(company, folder / f"broken-{seed}", planned, chance, say)
        return compare_runs(seed, company, undisturbed, disturbed)

    try:
        with ThreadPoolExecutor(chosen.jobs) as pool:
            runs = {seed: pool.submit(compare, seed) for seed in chosen.seed}
            for seed, run in runs.items():
                try:
                    comparisons.append(comparison := run.result())
                    print(f"\n{comparison.table()}\n", flush=True)
                except NotDrainedError as error:
                    stuck[seed] = str(error)
                    print(f"\nSeed {seed} did not end: {error}\n", flush=True)
        if chosen.write and not stuck:
            (Path(__file__).parent.parent / "docs" / "reliability.md").write_text(
                reliability_page(comparisons, chosen.events, chosen.jobs)
            )
    finally:
        if chosen.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    good = all(comparison.good for comparison in comparisons) and not stuck
    print(json.dumps(RunComparison.summary(comparisons) | {"stuck": stuck}))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
