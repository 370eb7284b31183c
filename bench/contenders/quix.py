"""Contender Quix Streams, in an environment of its own, as it needs an older confluent-kafka."""

from __future__ import annotations

from bench.contenders import Contender, ContenderResult
from bench.engines.environment import python
from bench.engines.job import JOBS, Job, day_ring
from bench.workload.load import Load

__all__ = ["CONTENDERS"]


def run(load: Load) -> ContenderResult:
    """Count until every event is in a committed checkpoint; compare the output and the changelog."""
    job = Job("quix", load)
    script = JOBS / "quix_counts.py"
    seconds = job.run(python(script), script)
    changelog = f"changelog__{job.group}--{load.topics.name('usage.events')}--default"
    exact = job.holds(job.output, day_ring) and job.holds(changelog, day_ring)
    return ContenderResult(load.events, seconds, exact)


CONTENDERS = (Contender("Quix Streams", run, share=100_000),)
