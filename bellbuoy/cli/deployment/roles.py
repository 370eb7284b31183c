"""The commands that run one role until SIGTERM: gateway, journal, worker, deliver, poll and console."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bellbuoy.settings import Settings

__all__ = ["console", "deliver", "gateway", "journal", "poll", "worker"]


def gateway() -> None:
    """
    Run the gateway: it takes events over HTTP and writes them to Kafka topics.

    Needs Kafka with its topics (`bellbuoy topics create`). Stops on SIGTERM.

    \b
    Examples:
      bellbuoy gateway
      BELLBUOY_GATEWAY__PORT=8081 bellbuoy gateway
    """
    _run("gateway")


def journal() -> None:
    """
    Run the journal stage: it orders all input topics into one log a partition.

    Needs Kafka with its topics. Start several to share the partitions. Stops on SIGTERM.

    \b
    Examples:
      bellbuoy journal
    """
    _run("journal")


def worker() -> None:
    """
    Run the worker: it folds the journal into scores, bands and alerts.

    Needs Kafka with its topics. Start several to share the partitions. Stops on SIGTERM.

    \b
    Examples:
      bellbuoy worker
      bellbuoy --config /etc/bellbuoy.toml worker
    """
    _run("worker")


def deliver() -> None:
    """
    Run delivery: it writes scores and alerts from Kafka to the sinks, such as Redis.

    Needs Kafka with its topics; a sink may be away for a while, nothing is lost. Stops on SIGTERM.

    \b
    Examples:
      bellbuoy deliver
    """
    _run("deliver")


def poll() -> None:
    """
    Run the poller: it asks vendors such as HubSpot and Salesforce for what changed, and writes it to Kafka.

    Needs Kafka with its topics, and sources under `poll.tenants` in the settings. Start a second one to
    take over when the first one dies. Stops on SIGTERM.

    \b
    Examples:
      bellbuoy poll
    """
    from bellbuoy.polling.role import run_poller

    _run("poll", run_poller)


def console(
    link: Annotated[
        bool, typer.Option("--link", help="Only print a new link to a console that runs, and end.")
    ] = False,
) -> None:
    """
    Run the console: live pages of the accounts that need somebody, and acts on their alerts.

    Needs a sink that can be read, such as Redis; Kafka for acts alone. It logs a link that signs you in,
    once. Stops on SIGTERM.

    \b
    Examples:
      bellbuoy console
      bellbuoy console --link
    """
    if link:
        from bellbuoy.console.links import new_link
        from bellbuoy.settings import load

        print(new_link(load()))
    else:
        from bellbuoy.console.server import serve

        _run("console", serve)


def _run(role: str, run: Callable[[Settings], None] | None = None) -> None:
    from bellbuoy import logs
    from bellbuoy.operations.roles import run_role
    from bellbuoy.settings import load

    settings = load()
    logs.configure(settings.log_level, role)
    run_role(role, settings, run)
