"""The JSON body of ``/readyz``: one shape for every role, read by whatever supervises them."""

from __future__ import annotations

import msgspec

__all__ = ["Readiness", "decode_readiness"]


class Readiness(msgspec.Struct, frozen=True):
    """
    The answer whether a role can do its work now.

    ``failing`` maps the name of each condition that does not hold to its reason; a role is ready when none
    fails. As JSON: ``{"ready": false, "role": "deliver", "failing": {"kafka": "not reached yet"}}``.
    """

    role: str
    failing: dict[str, str]

    @property
    def ready(self) -> bool:
        """Whether every condition holds."""
        return not self.failing

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return 200 if self.ready else 503

    def encode(self) -> bytes:
        """Return the body."""
        return msgspec.json.encode({"ready": self.ready, "role": self.role, "failing": self.failing})


def decode_readiness(body: bytes) -> Readiness:
    """Return the readiness in a body; raise ValueError for any other body."""
    try:
        return msgspec.json.decode(body, type=Readiness)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error
