"""Contender Faust, used as its documentation teaches, with this project's version."""

from __future__ import annotations

import sys

from bench.contenders import Contender, ContenderResult
from bench.engines.job import JOBS, Job, day_ring
from bench.workload.load import Load

__all__ = ["CONTENDERS"]


def run(load: Load) -> ContenderResult:
    """Count until Faust has committed every event; compare the output and the changelog."""
    job = Job("faust", load)
    # An application in service has it; Faust would create it in the middle of its start.
    changelog = job.create(f"{job.group}-accounts-changelog")
    seconds = job.run(sys.executable, JOBS / "faust_counts.py")
    exact = job.holds(job.output, day_ring) and job.holds(changelog, day_ring)
    return ContenderResult(load.events, seconds, exact)


CONTENDERS = (Contender("Faust, idiomatic", run, share=20_000),)
