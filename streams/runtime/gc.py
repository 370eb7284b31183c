"""Python's search for cycles, in a process that runs for long."""

from __future__ import annotations

import gc

__all__ = ["freeze_startup_objects"]


def freeze_startup_objects() -> None:
    """
    Keep all that is alive now out of the search for cycles; to be called when everything is imported.

    Hundreds of thousands of objects of the libraries would else be walked over again and again, for as long
    as the process runs, whenever a few hundred containers more were made than freed.
    """
    gc.collect()
    gc.freeze()
