"""
What all accounts of a partition share: the models in force, and when each source was last heard.

Kept in the changelog beside the states, under keys that no account has. A value that never changes: folding a
batch gives another, and says which entries must be written.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from processors.fold.models_in_force import InForce, Models, Name
from processors.model import DEFAULT
from processors.silent_sources import Source, hear
from schemas.records import JournalBatch

__all__ = ["SHARED_KEY", "Shared"]

SHARED_KEY = b"\0shared\0"
"""First bytes of every such key; no account key starts with a zero byte."""

_MODEL, _SOURCE = SHARED_KEY + b"model\0", SHARED_KEY + b"source\0"
_encode = msgspec.msgpack.Encoder().encode
_model = msgspec.msgpack.Decoder(InForce).decode
_source = msgspec.msgpack.Decoder(Source).decode


class Shared:
    """The models and the sources of one partition."""

    def __init__(
        self, models: Models | None = None, sources: Mapping[tuple[str, str], Source] | None = None
    ) -> None:
        self.models = Models(DEFAULT) if models is None else models
        self.sources = {} if sources is None else sources

    def after(self, batch: JournalBatch) -> Shared:
        """Return what is shared once a batch was heard; itself when that is the same."""
        models = self.models
        if batch.models:
            models = models.with_changes(batch.models, batch.written_at, batch.sequence)
        changed = hear(self.sources, batch)
        if models is self.models and not changed:
            return self
        return Shared(models, {**self.sources, **changed} if changed else self.sources)

    def entries_since(self, before: Shared) -> dict[bytes, bytes]:
        """Return the changelog entries that differ from those of an earlier one."""
        found: dict[bytes, bytes] = {}
        if self.models is not before.models:
            for name, entry in self.models.entries.items():
                if before.models.entries.get(name) != entry:
                    found[_key(_MODEL, *name)] = _encode(entry)
        if self.sources is not before.sources:
            for of, source in self.sources.items():
                if before.sources.get(of) is not source:
                    found[_key(_SOURCE, *of)] = _encode(source)
        return found

    def with_entries(self, entries: Mapping[bytes, bytes]) -> Shared:
        """Return what is shared with entries read back from the changelog."""
        models: dict[Name, InForce] = dict(self.models.entries)
        sources = dict(self.sources)
        for key, raw in entries.items():
            if key.startswith(_MODEL):
                entry = _model(raw)
                models[entry.key] = entry
            elif key.startswith(_SOURCE):
                source = _source(raw)
                sources[source.tenant, source.topic] = source
        return Shared(Models(self.models.base, models, fixed=self.models.fixed), sources)


def _key(kind: bytes, *names: str) -> bytes:
    return kind + "\0".join(names).encode()
