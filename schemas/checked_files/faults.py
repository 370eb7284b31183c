"""Faults of a checked file, such as a model: where each is, what is wrong, and how to fix it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

__all__ = ["Fault", "FaultyFileError", "NoDocumentError"]


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """A fault; ``line`` and ``column`` count from 1, ``where`` is the dotted path to the key."""

    line: int
    column: int
    where: str
    message: str
    fix: str
    warning: bool = False

    def __str__(self) -> str:
        """Return ``line:column: where: message; fix``; a caller puts ``file:`` before it."""
        place = f"{self.where}: " if self.where else ""
        kind = "warning: " if self.warning else ""
        return f"{self.line}:{self.column}: {kind}{place}{self.message}; {self.fix}"


class FaultyFileError(ValueError):
    """A checked file can't be used; the message lists every fault with its line, column and fix."""

    subject: ClassVar[str]

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(faults))
        lines = "\n".join(f"  {fault}" for fault in self.faults)
        super().__init__(f"{self.subject} can't be used:\n{lines}")


class NoDocumentError(FaultyFileError):
    """A file holds no document that can be read at all; the message says where reading it ended."""

    subject = "the file"
