"""Table of open tasks."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from bellbuoy.operations.acts.accounts import AccountTask
from schemas.times import iso

__all__ = ["render_tasks"]


def render_tasks(tasks: Sequence[AccountTask]) -> Table:
    """Return the tasks as a table, in their order."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("Task", "Customer", "Due", "Whose"):
        table.add_column(name)
    table.add_column("What", ratio=1)
    for one in tasks:
        account, task = one
        table.add_row(
            task.task_id[:8],
            Text(account.name or account.account_id),
            "" if task.due_at is None else iso(task.due_at)[:10],
            Text(one.assignee or "nobody"),
            Text(task.title),
        )
    return table
