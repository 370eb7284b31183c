"""
A wrapper that runs a command which ends when its parent process does, however the parent ends.

Started by path with ``python -I -S tether.py PARENT_PID COMMAND...``: standard library only. On
Linux the kernel sends SIGKILL when the parent is gone (prctl(2), PR_SET_PDEATHSIG; it survives
exec). Elsewhere the command runs untethered.
"""

from __future__ import annotations

import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask the kernel to kill this process when its parent ends, then become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - this runs before every server; elsewhere it isn't needed

        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # the parent died before prctl took effect
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - the command is the caller's own


if __name__ == "__main__":
    main()
