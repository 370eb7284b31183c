"""Contender Faust, used as its documentation teaches, with this project's version."""

from __future__ import annotations

import sys

from bench.contenders import Contender, ContenderResult
from bench.job import JOBS, Job, day_ring
from bench.load import Load

__all__ = ["CONTENDERS"]


def run(load: Load) -> ContenderResult:
    """Count until Faust has committed every event; compare the output and the changelog."""
    job = Job("faust", load)
    seconds = job.run(sys.executable, JOBS / "faust_counts.py")
    exact = job.holds(job.output, day_ring) and job.holds(f"{job.group}-accounts-changelog", day_ring)
    return ContenderResult(load.events, seconds, exact)


CONTENDERS = (Contender("Faust, idiomatic", run, share=20_000),)
