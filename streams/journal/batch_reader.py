"""A reader of journal batches that decodes idle ones quickly: an idle partition gets many of them."""

from __future__ import annotations

from msgspec.structs import replace

from schemas.codec.record_codec import Codec
from schemas.codec.varint import read_varint
from schemas.inputs import ACCOUNT_FIELDS
from schemas.records import JournalBatch

__all__ = ["JournalBatchReader", "batch_of_account"]

_HEADER_BYTES = 5
"""The magic byte and the schema's id."""


class JournalBatchReader:
    """
    Decodes one partition's batches in their order.

    A batch without events that follows another such batch differs from it in sequence and time alone, the
    first two fields; then the rest is not decoded, and ``offsets`` are left out.
    """

    def __init__(self, codec: Codec[JournalBatch]) -> None:
        self._codec = codec
        self._idle: tuple[bytes, bytes] | None = None

    def decode(self, raw: bytes) -> JournalBatch:
        """Return the batch in these bytes; raise as the codec does."""
        try:
            sequence, at = read_varint(raw, _HEADER_BYTES)
            written_at, at = read_varint(raw, at)
        except ValueError:
            return self._codec.decode(raw)
        rest = raw[:_HEADER_BYTES], raw[at:]
        if rest == self._idle:
            return JournalBatch(sequence=sequence, written_at=written_at)
        batch = self._codec.decode(raw)
        empty = JournalBatch(sequence=batch.sequence, written_at=batch.written_at, offsets=batch.offsets)
        self._idle = rest if batch == empty else None
        return batch


def batch_of_account(batch: JournalBatch, tenant: str, account_id: str | None = None) -> JournalBatch:
    """Return the batch with the events of this account alone, or of all the tenant's accounts."""
    lists = {name: events for name in ACCOUNT_FIELDS if (events := getattr(batch, name))}
    kept = {
        name: [x for x in events if x.tenant == tenant and account_id in (None, x.account_id)]
        for name, events in lists.items()
    }
    return replace(batch, **kept) if kept else batch
