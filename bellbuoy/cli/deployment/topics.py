"""The commands ``bellbuoy topics``: create, check and list the Kafka topics of this deployment."""

from __future__ import annotations

import typer

from bellbuoy.cli.options import EXIT_CODES, Json
from bellbuoy.cli.terminal.output import emit
from bellbuoy.exit_codes import FAILED, OK

__all__ = ["topics"]

topics = typer.Typer(
    name="topics", help="Create, check and list the Kafka topics.", no_args_is_help=True, epilog=EXIT_CODES
)


@topics.command(epilog=EXIT_CODES)
def create(as_json: Json = False) -> None:
    """
    Create the topics that are missing; those that exist stay as they are.

    \b
    Examples:
      bellbuoy topics create
      BELLBUOY_KAFKA__BOOTSTRAP=kafka:9092 bellbuoy topics create
    """
    from bellbuoy.operations.kafka.topics import create_topics
    from bellbuoy.settings import load

    kafka = load().kafka
    created = create_topics(kafka.connection(), kafka.topics())
    emit({"created": created}, [f"created {name}" for name in created] or ["All topics exist."], as_json)


@topics.command(epilog=EXIT_CODES)
def check(as_json: Json = False) -> None:
    """
    List every topic that is missing or has wrong partitions, compaction, size or retention; then exit with 1.

    A topic may keep more than is asked, for longer. What works, but could be safer, is listed as advice.

    \b
    Examples:
      bellbuoy topics check
    """
    from bellbuoy.operations.kafka.topics import topic_advice, topic_faults
    from bellbuoy.settings import load

    kafka = load().kafka
    faults = topic_faults(kafka.connection(), kafka.topics())
    advice = topic_advice(kafka.connection(), kafka.topics())
    lines = [*(faults or ["All topics are right."]), *(f"advice: {text}" for text in advice)]
    emit({"ok": not faults, "faults": faults, "advice": advice}, lines, as_json)
    raise typer.Exit(FAILED if faults else OK)


@topics.command("list", epilog=EXIT_CODES)
def list_topics(as_json: Json = False) -> None:
    """
    List the topics of this deployment with their partitions on the broker.

    \b
    Examples:
      bellbuoy topics list
      bellbuoy topics list --json
    """
    from bellbuoy.operations.kafka.topics import topic_partitions
    from bellbuoy.settings import load
    from processors.measures.formats import count

    kafka = load().kafka
    existing = topic_partitions(kafka.connection())
    rows = {spec.name: existing.get(spec.name) for spec in kafka.topics().specs()}
    lines = [
        f"{name:<40} {'missing' if partitions is None else count(partitions, 'partition')}"
        for name, partitions in rows.items()
    ]
    emit({"topics": [{"name": n, "partitions": p} for n, p in rows.items()]}, lines, as_json)
