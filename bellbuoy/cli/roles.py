"""The commands that run one of the four roles until SIGTERM: gateway, journal, worker and deliver."""

from __future__ import annotations

__all__ = ["deliver", "gateway", "journal", "worker"]


def gateway() -> None:
    """
    Run the gateway: it takes events over HTTP and writes them to Kafka topics.

    Needs Kafka with its topics (`bellbuoy topics create`). Stops on SIGTERM.
    """
    _run("gateway")


def journal() -> None:
    """
    Run the journal stage: it orders all input topics into one log a partition.

    Needs Kafka with its topics. Start several to share the partitions. Stops on SIGTERM.
    """
    _run("journal")


def worker() -> None:
    """
    Run the worker: it folds the journal into scores, bands and alerts.

    Needs Kafka with its topics. Start several to share the partitions. Stops on SIGTERM.
    """
    _run("worker")


def deliver() -> None:
    """
    Run delivery: it writes scores and alerts from Kafka to the sinks, such as Redis.

    Needs Kafka with its topics; a sink may be away for a while, nothing is lost. Stops on SIGTERM.
    """
    _run("deliver")


def _run(role: str) -> None:
    from bellbuoy import logs
    from bellbuoy.operations.roles import run_role
    from bellbuoy.settings import load

    settings = load()
    logs.configure(settings.log_level, role)
    run_role(role, settings)
