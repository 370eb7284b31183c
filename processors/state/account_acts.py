"""Kinds and limits of the acts of people on an account itself: notes and tasks."""

from __future__ import annotations

__all__ = ["ACCOUNT_ACTS", "MAX_NOTE", "MAX_TITLE"]

ACCOUNT_ACTS = frozenset({"noted", "task_set", "task_done", "task_reopened"})
"""The kinds of an ``AlertAction`` that are about the account and no alert of it."""

MAX_NOTE = 4_000
"""Characters of a note on an account; a longer one is `invalid`."""

MAX_TITLE = 300
"""Characters of a task's title; a longer one is `invalid`."""
