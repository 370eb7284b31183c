"""Settings of Python's garbage collector for a process that runs for long."""

from __future__ import annotations

import gc

__all__ = ["freeze_startup_objects"]


def freeze_startup_objects() -> None:
    """
    Exclude all objects alive now from garbage collection; to be called when everything is imported.

    Otherwise, for as long as the process runs, the collector would walk over hundreds of thousands of the
    libraries' objects whenever a few hundred containers more had been made than freed.
    """
    gc.collect()
    gc.freeze()
