"""Faust as its docs teach it, on the Faust of this project."""

from __future__ import annotations

import sys

from bench.contenders import Contender, Outcome
from bench.job import JOBS, Job, day_ring
from bench.load import Load

__all__ = ["CONTENDERS"]


def run(load: Load) -> Outcome:
    """Count until Faust has committed every event; compare the output and the changelog."""
    job = Job("faust", load)
    seconds = job.run(sys.executable, JOBS / "faust_counts.py")
    exact = job.holds(job.output, day_ring) and job.holds(f"{job.group}-accounts-changelog", day_ring)
    return Outcome(load.events, seconds, exact)


CONTENDERS = (Contender("Faust, idiomatic", run, share=20_000),)
