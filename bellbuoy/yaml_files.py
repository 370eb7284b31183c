"""A reader of YAML files that people write for commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from schemas.checked_files.faults import NoDocumentError
from schemas.checked_files.reader import Document, decoded, read

__all__ = ["read_document"]


def read_document(
    path: Path, unreadable: Callable[[str], Exception], faulty: Callable[[list[str]], Exception]
) -> Document:
    """
    Return the document in a YAML file.

    Raises what ``unreadable`` makes of the reason why the file can't be read, and what ``faulty`` makes of
    the faults of one that is no YAML.
    """
    try:
        return read(decoded(path.read_bytes()))
    except OSError as error:
        raise unreadable(f"{path}: can't be read ({error.strerror}): correct the path") from None
    except NoDocumentError as error:
        raise faulty([str(fault) for fault in error.faults]) from None
