"""The page of all metrics, by role, generated from the metric objects that each role registers."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import NamedTuple

from prometheus_client.metrics import MetricWrapperBase

from bellbuoy.console import metrics as console
from bellbuoy.docs.markdown import table
from bellbuoy.polling import metrics as polling
from gateway import metrics as gateway
from streams.delivery import metrics as delivery
from streams.journal import metrics as journal
from streams.kafka import log_faults
from streams.runtime import health, latency
from streams.worker import metrics as worker

__all__ = ["MODULES", "Exported", "metrics", "page"]

MODULES: dict[str, tuple[ModuleType, ...]] = {
    "gateway": (gateway,),
    "journal": (journal, log_faults, health),
    "worker": (worker, log_faults, health),
    "deliver": (delivery, log_faults, latency, health),
    "poll": (polling, health),
    "console": (console,),
}
"""The modules whose metrics each role exports."""

_HEAD = """# Metrics

Every metric of our own, by role. Generated from the code by `python -m bellbuoy.docs`; a test holds it to the
code. No label ever carries an account, a user or an event's name.

Each role answers `/metrics` in the Prometheus text format: the gateway on `gateway.port`, the
console on `console.port`, the others on their
`metrics_port` ([settings](settings.md)). Beside its own metrics every role exports those of its process,
`process_*` and `python_*`, as the Prometheus client library defines them. A histogram `x` is the series
`x_bucket`, `x_sum` and `x_count`.

Which of them to watch: [operations.md](../operations.md#metrics-worth-an-alert).
"""


class Exported(NamedTuple):
    """One metric as Prometheus sees it."""

    name: str
    type: str
    labels: tuple[str, ...]
    help: str


def metrics(role: str) -> Iterator[Exported]:
    """Yield the metrics of a role, in the order in which its modules define them."""
    objects = {id(value): value for module in MODULES[role] for value in vars(module).values()}
    for metric in objects.values():
        if isinstance(metric, MetricWrapperBase):
            (described,) = metric.describe()
            name = described.name + {"counter": "_total", "info": "_info"}.get(described.type, "")
            labels = tuple(metric._labelnames)  # noqa: SLF001 - the library has no public name for it
            yield Exported(name, described.type, labels, described.documentation)


def page() -> str:
    """Return the text of docs/reference/metrics.md."""
    parts = [_HEAD]
    for role in MODULES:
        rows = [
            (f"`{one.name}`", one.type, ", ".join(f"`{label}`" for label in one.labels), one.help)
            for one in metrics(role)
        ]
        parts += [f"## `bellbuoy {role}`\n", table(("metric", "type", "labels", "what it is"), rows) + "\n"]
    return "\n".join(parts).rstrip() + "\n"
