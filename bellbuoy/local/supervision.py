"""Supervision of a role: when its ended process is started again, and when that is given up."""

from __future__ import annotations

from collections import deque

from bellbuoy.exit_codes import CONFIGURATION
from bellbuoy.local.embedded.child import ending
from bellbuoy.local.role_process import RoleProcess

__all__ = ["RestartPolicy", "SupervisedRole"]


class RestartPolicy:
    """
    Limits of restarts: at most ``max_deaths`` deaths within ``window`` seconds.

    The pause before each start doubles from ``first_pause`` up to ``longest_pause``, in seconds.
    """

    def __init__(
        self,
        max_deaths: int = 5,
        window: float = 60.0,
        first_pause: float = 0.2,
        longest_pause: float = 5.0,
    ) -> None:
        self._max_deaths = max_deaths
        self._window = window
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._deaths: deque[float] = deque()

    def pause_after_death(self, now: float) -> float | None:
        """Record a death at *now* (any clock, in seconds); return the pause, or ``None`` to give up."""
        self._deaths.append(now)
        while self._deaths[0] <= now - self._window:
            self._deaths.popleft()
        if len(self._deaths) > self._max_deaths:
            return None
        return min(self._first_pause * 2.0 ** (len(self._deaths) - 1), self._longest_pause)


class SupervisedRole:
    """A role's process that is started again when it ends, as often as the restart policy allows."""

    def __init__(self, process: RoleProcess) -> None:
        self.process = process
        self._policy = RestartPolicy()
        self._restart_at: float | None = None

    def tend(self, now: float) -> str | None:
        """Start the process again if it has ended and its pause is over; return why if that is given up."""
        if self._restart_at is not None:
            if now >= self._restart_at:
                self._restart_at = None
                self.process.start()
            return None
        child = self.process.child
        code = child.returncode
        if code is None:
            return None
        # A role that refuses its settings would refuse them again.
        pause = None if code == CONFIGURATION else self._policy.pause_after_death(now)
        if pause is None:
            often = "" if code == CONFIGURATION else " died more than 5 times within 60 s; the last time it"
            return (
                f"{self.process.role}{often} {ending(code)}; "
                f"its log {self.process.log} ends with:\n{child.tail()}"
            )
        self._restart_at = now + pause
        return None
