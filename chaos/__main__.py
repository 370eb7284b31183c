"""`make chaos`: the same company twice, left alone and broken on schedule; compare, print."""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bellbuoy.operations.drain import NotDrainedError
from chaos.faults import FAULTS, SHORT
from chaos.load import Company
from chaos.run import play, schedule
from chaos.verdict import Verdict, judge, page

_EVENTS = 1_200_000  # silent accounts send none: about a million are left


def main() -> None:
    """Run; the last line is JSON, the exit code 1 when anything differs."""
    parser = argparse.ArgumentParser(
        prog="chaos", description="Break the real stack; compare it with a run that nothing disturbed."
    )
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="a company and a schedule each")
    parser.add_argument("--events", type=int, default=_EVENTS, help="usage events, about")
    parser.add_argument("--accounts", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=1, help="seeds at a time; recovery takes longer then")
    parser.add_argument("--short", action="store_true", help="eight of the faults only")
    parser.add_argument("--only", help="only faults whose name has this in it, each twenty times at most")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md if all come through")
    parser.add_argument("--keep", type=Path, help="keep logs and data in this folder, which must not exist")
    chosen = parser.parse_args()
    faults = SHORT if chosen.short else FAULTS
    if chosen.only:
        faults = tuple(fault for fault in FAULTS if chosen.only in fault.name) * 20
        faults = faults[:20]
        if not faults:
            names = "\n".join(f"  {fault.name}" for fault in FAULTS)
            parser.error(f"--only {chosen.only!r}: no fault is called so; they are\n{names}")
    folder = chosen.keep or Path(tempfile.mkdtemp(prefix="bellbuoy-chaos-"))
    folder.mkdir(parents=True, exist_ok=chosen.keep is None)
    verdicts: list[Verdict] = []
    stuck: dict[int, str] = {}

    def compared(seed: int) -> Verdict:
        def tell(line: str) -> None:
            print(f"[{seed}] {line}", flush=True)

        company, chance = Company(seed, chosen.events, chosen.accounts), random.Random(seed)
        tell("the run that nothing disturbs")
        clean = play(company, folder / f"clean-{seed}", {}, None, tell)
        tell("the run that is broken")
        planned = schedule(faults, chance)
        broken = play(company, folder / f"broken-{seed}", planned, chance, tell)
        return judge(seed, company, clean, broken)

    try:
        with ThreadPoolExecutor(chosen.jobs) as pool:
            runs = {seed: pool.submit(compared, seed) for seed in chosen.seed}
            for seed, run in runs.items():
                try:
                    verdicts.append(verdict := run.result())
                    print(f"\n{verdict.table()}\n", flush=True)
                except NotDrainedError as error:
                    stuck[seed] = str(error)
                    print(f"\nSeed {seed} did not come through: {error}\n", flush=True)
        if chosen.write and not stuck:
            (Path(__file__).parent.parent / "docs" / "reliability.md").write_text(
                page(verdicts, chosen.events, chosen.jobs)
            )
    finally:
        if chosen.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    good = all(verdict.good for verdict in verdicts) and not stuck
    print(json.dumps(Verdict.summary(verdicts) | {"stuck": stuck}))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
