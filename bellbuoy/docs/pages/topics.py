"""The page of all topics, generated from the topic contract and the schema registry."""

from __future__ import annotations

from typing import NamedTuple

from bellbuoy.docs.markdown import table
from schemas.codec.registry import committed, entries
from schemas.inputs import INPUTS, OVERRIDES
from schemas.times import DAY
from schemas.topics import Topics, TopicSpec

__all__ = ["page"]

_HEAD = """# Topics

Every Kafka topic of a deployment. Generated from the topic contract and the schema registry by
`python -m bellbuoy.docs`; a test holds it to the code.

`bellbuoy topics create` makes those that are missing; `bellbuoy topics check` compares the broker's with this
page: a topic may keep more, for longer. Every topic has `kafka.partitions` partitions and `kafka.replication`
copies, and its name begins with `kafka.topic_prefix` ([settings](settings.md)). A record is Avro behind a
zero byte and the id of its schema (Confluent's wire format); the schemas are in `schemas/avro/`, their ids in
`schemas/avro/registry.json`. The key of an account's records is `tenant:account`, and its murmur2 hash gives
the partition. [asyncapi.json](asyncapi.json) has the topics that others write to or read from, with the
schema of every record, as an AsyncAPI 3 document.
"""


class _Ends(NamedTuple):
    """Who writes a topic and who reads it."""

    writers: str
    readers: str


_WRITERS = {
    "senders": "gateway, producers of your own, `bellbuoy deadletters redrive`",
    "operator": "`bellbuoy model apply` and `withdraw`",
    "worker": "worker",
}
_ENDS = {each.topic: _Ends(_WRITERS[each.written_by], "journal") for each in INPUTS} | {
    OVERRIDES.topic: _Ends(f"{_WRITERS['senders']}, `bellbuoy override`", "journal"),
    "account.journal": _Ends("journal", "worker, `bellbuoy replay`, `bellbuoy explain --at` and `--since`"),
    "bellbuoy-accounts-changelog": _Ends("worker", "worker, at a takeover; `bellbuoy replay`"),
    "account.health": _Ends("worker", "deliver"),
    "account.kpis": _Ends("worker", "deliver"),
    "risk.alerts": _Ends("worker", "deliver"),
    "alert.notifications": _Ends("worker", "deliver"),
    "alert.deliveries": _Ends("deliver", "deliver, at a takeover; `bellbuoy notify`"),
    "erased.subjects": _Ends(
        "`bellbuoy forget`", "journal, deliver, `bellbuoy explain --at` and `--since`, `bellbuoy replay`"
    ),
    "gateway.keys": _Ends("`bellbuoy keys`", "gateway, `bellbuoy keys`"),
    "producer.reports": _Ends("gateway", "console"),
    "pull.cursors": _Ends("poll", "poll, `bellbuoy sources list`"),
    "raw.payloads": _Ends("gateway, `bellbuoy forget`", "`bellbuoy sources remap`"),
    "events.deadletter": _Ends(
        "gateway, poll, journal, deliver, `bellbuoy deadletters`", "`bellbuoy deadletters`"
    ),
    "simulation.clock": _Ends("`bellbuoy simulate`, `bellbuoy demo`", "journal with a `simulated` clock"),
}


def page() -> str:
    """Return the text of docs/reference/topics.md."""
    specs = list(Topics().specs())
    kept = [
        (f"`{spec.name}`", _kept(spec), _bytes(spec), _ENDS[spec.name].writers, _ENDS[spec.name].readers)
        for spec in specs
    ]
    records = [row for spec in specs for row in _records(spec.name)]
    return "\n".join(
        [
            _HEAD,
            table(("topic", "kept for", "largest record", "written by", "read by"), kept),
            "",
            "*The newest of each key* is Kafka's compaction. The changelog holds the account states; its",
            "name is Faust's.",
            "",
            "## Records",
            "",
            table(("topic", "record", "one of them is", "newest schema", "id"), records),
            "",
        ]
    )


def _kept(spec: TopicSpec) -> str:
    if spec.config.get("cleanup.policy") == "compact":
        return "ever: the newest of each key"
    days = int(spec.config["retention.ms"]) // DAY
    newest = ": the newest of each key" if "compact" in spec.config["cleanup.policy"] else ""
    return f"{days} {'day' if days == 1 else 'days'}{newest}"


def _bytes(spec: TopicSpec) -> str:
    largest = spec.config.get("max.message.bytes")
    return "the broker's default" if largest is None else f"{int(largest) // 2**20} MiB"


def _records(topic: str) -> list[tuple[str, ...]]:
    """Return a row for each record type of a topic, by the subjects of its schemas."""
    registry = committed()
    newest = {entry.subject: entry for entry in entries() if entry.subject.rpartition("-")[0] == topic}
    return [
        (
            f"`{topic}`",
            f"`{registry.readers[subject]['name'].rpartition('.')[2]}`",
            str(registry.readers[subject]["doc"]),
            f"`{entry.file}`",
            str(entry.id),
        )
        for subject, entry in newest.items()
    ]
