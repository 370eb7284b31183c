"""
Samples of a source: payloads that the vendor has published, and what each of them becomes.

They lie in the folder ``samples`` of the source's package, each body in a file of its own as it was
published, and ``samples.toml`` says of each what it is:

    published = "https://..."              where the payloads were published
    event_id = ["/id"]                     pointers to what must be new in each event, where it is no header
    account = "/content/customer/id"       pointer to the account, or to the person who belongs to one
    times = ["/occurred_at"]               pointers to the times; the first is the event's own

    [[samples]]
    file = "subscription_cancelled.json"
    says = "a subscription ended"
    headers = {}                           what the request says beside its body and signature
    before = ["subscription_created"]      samples that came before, for ``moves``
    becomes = [{ topic = "billing.events", kind = "subscription_canceled" }]
    moves = { measure = "billing.commitment" }

``guide.md`` beside it says where to click in the vendor's product. A source whose senders have keys also
says the ``path`` of its route, ``scope = "server"`` where a write key isn't enough, and the ``clients`` with
which it is tested.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
from jsonpointer import resolve_pointer, set_pointer

from gateway.http.errors import Fault
from gateway.http.times import milliseconds
from schemas.times import iso

__all__ = ["Sample", "SampleSet", "load_samples"]

_COMMON = ("event_id", "account", "times", "headers", "path", "scope")
"""Keys that all samples of a source may share."""

_FOLDERS = {"api": "typed"}
"""Packages that have another name than their source."""

_SECONDS_END = 10**11
"""Whole numbers below it are seconds, others milliseconds: the year 5138, and 1973."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """
    One published payload, and what it becomes.

    ``becomes`` are some fields of each record that follows from it; ``moves`` names a measure of the account,
    or a field of its ``profile``, that changes. In the headers ``{new}`` stands for an id.
    """

    name: str
    says: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    becomes: tuple[Mapping[str, Any], ...] = ()
    moves: Mapping[str, str] | None = None
    event_id: tuple[str, ...] = ()
    account: str = ""
    times: tuple[str, ...] = ()
    path: str = ""
    scope: str = "track"

    @property
    def media_type(self) -> str:
        """The media type of the body."""
        return "application/json" if self.body.lstrip()[:1] in b"{[" else "application/x-www-form-urlencoded"

    def occurred_at(self) -> int | None:
        """Return the event's own time in UTC milliseconds; ``None``: the payload doesn't say it."""
        if not self.times:
            return None
        return _milliseconds(resolve_pointer(orjson.loads(self.body), self.times[0]))

    def fresh(self, now: int, account: str | None = None) -> tuple[bytes, dict[str, str]]:
        """
        Return the body and the headers of the same event as if it happened ``now``, with an id of its own.

        ``account`` takes the place of the payload's account, or of the domain of an e-mail address. A body
        that is not JSON stays as it is.
        """
        new_id = uuid4().hex
        headers = {name: value.replace("{new}", new_id) for name, value in self.headers.items()}
        if self.media_type != "application/json":
            return self.body, headers
        payload = orjson.loads(self.body)
        at = self.occurred_at()
        for pointer in self.times:
            _change(payload, pointer, lambda value: _shifted(value, now - (at or now)))
        for pointer in self.event_id:
            _change(payload, pointer, lambda value: _new_id(value, new_id))
        if account and self.account:
            by_mail = "@" in str(resolve_pointer(payload, self.account, ""))
            set_pointer(payload, self.account, f"somebody@{account}" if by_mail else account)
        return orjson.dumps(payload), headers


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSet:
    """The samples of a source, where they were published, with which clients it is tested, and its guide."""

    published: str
    clients: tuple[str, ...]
    guide: str | None
    samples: tuple[Sample, ...]

    def named(self, name: str) -> Sample:
        """Return a sample by its name; raise KeyError."""
        return {sample.name: sample for sample in self.samples}[name]


@cache
def load_samples(source: str, room: str = "sources") -> SampleSet:
    """
    Return the samples of a source by its name; raise OSError where its package has none.

    ``room`` is the gateway's folder that holds the source; in ``pulls`` a sample is one item of a page, and
    its ``headers`` say its kind.
    """
    folder = Path(__file__).parents[1] / room / _FOLDERS.get(source, source) / "samples"
    index = tomllib.loads((folder / "samples.toml").read_text(encoding="utf-8"))
    common = {name: index[name] for name in _COMMON if name in index}
    guide = folder / "guide.md"
    return SampleSet(
        published=index["published"],
        clients=tuple(index.get("clients", ())),
        guide=guide.read_text(encoding="utf-8") if guide.exists() else None,
        samples=tuple(_sample(folder, common | described) for described in index["samples"]),
    )


def _sample(folder: Path, described: dict[str, Any]) -> Sample:
    file = folder / described.pop("file")
    lists = {name: tuple(value) for name, value in described.items() if isinstance(value, list)}
    return Sample(name=file.stem, body=file.read_bytes(), **(described | lists))


def _change(payload: Any, pointer: str, change: Callable[[Any], Any]) -> None:
    value = resolve_pointer(payload, pointer, None)
    if value is not None:
        set_pointer(payload, pointer, change(value))


def _new_id(value: Any, new_id: str) -> Any:
    """Return an id of the same type that no other event has."""
    return int(new_id, 16) % 2**52 if isinstance(value, int) else new_id


def _milliseconds(value: str | int) -> int | None:
    if isinstance(value, int):
        return value * 1000 if value < _SECONDS_END else value
    try:
        return milliseconds(value, "")
    except Fault:
        return None


def _shifted(value: str | int, by: int) -> str | int:
    """Return a time that much later, UTC milliseconds, in the form that it has."""
    at = _milliseconds(value)
    if at is None:
        return value
    if isinstance(value, str):
        return iso(at + by)
    return (at + by) // 1000 if value < _SECONDS_END else at + by
