"""
A wrapper that runs a command which ends when its parent process does, however the parent ends.

Started by path with ``python -I -S tether.py PARENT_PID USER COMMAND...``: standard library only. On
Linux the kernel sends SIGKILL when the parent is gone (prctl(2), PR_SET_PDEATHSIG; it survives
exec). Elsewhere the command runs untethered.

Where root runs it and USER is not empty, the command runs as that user, and reads what root may read
(capabilities(7), ambient set): Postgres refuses to run as root, and may lie where no one else may look.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 1 << 2
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522


def main() -> None:
    """Ask the kernel to kill this process when its parent ends, then become the command."""
    parent, user, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    if user and os.geteuid() == 0:
        become(user)
    if sys.platform == "linux":
        # After the change of user, which takes it back.
        libc().prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # the parent died before prctl took effect
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - the command is the caller's own


def become(user: str) -> None:
    """Go on as another user, on Linux with root's right to reach every file."""
    entry = pwd.getpwnam(user)
    if sys.platform == "linux":  # keep capabilities over the change of user, also where access(2) asks
        libc().prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    os.environ["HOME"] = "/"
    if sys.platform == "linux":
        bit, words = 1 << CAP_DAC_OVERRIDE, ctypes.c_uint32
        libc().capset((words * 2)(CAPABILITY_VERSION_3, 0), (words * 6)(bit, bit, bit, 0, 0, 0))
        libc().prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def libc() -> ctypes.CDLL:
    """Return the C library."""
    return ctypes.CDLL(None, use_errno=True)


if __name__ == "__main__":
    main()
