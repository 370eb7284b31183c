"""Acts of people on an account itself: notes and tasks, which change no score."""

from __future__ import annotations

from processors.state.account import NoteValue, State, TaskValue, stamp
from schemas.records import AlertAction, Note, Task

__all__ = ["known_notes", "known_tasks", "observe_account_act"]


def observe_account_act(state: State, action: AlertAction) -> None:
    """Fold one note, or one word on a task: of what it is, and of whether it is done, the newest counts."""
    state.applied += 1
    at = stamp(action.occurred_at, action.event_id)
    if action.kind == "noted":
        before = state.notes.get(action.event_id)
        if before is None or at > before.at:
            state.notes[action.event_id] = NoteValue(at, action.author, action.note or "")
        return
    task = state.tasks.get(action.alert_id)
    if task is None:
        task = state.tasks[action.alert_id] = TaskValue()
    if action.kind == "task_set":
        if at > task.at:
            task.at, task.author, task.title = at, action.author, action.note or ""
            task.due_at, task.assignee = action.until, action.assignee or None
    elif at > task.done_stamp:
        task.done_stamp, task.done, task.done_by = at, action.kind == "task_done", action.author


def known_notes(state: State) -> list[Note]:
    """Return the notes as they are published, the newest first."""
    newest_first = sorted(state.notes.items(), key=lambda one: (one[1].at, one[0]), reverse=True)
    return [
        Note(note_id=key, at=note.at[0], author=note.author, text=note.text) for key, note in newest_first
    ]


def known_tasks(state: State) -> list[Task]:
    """Return the tasks as they are published: those open by their due time, then those done lately."""
    tasks = [
        Task(
            task_id=key,
            title=task.title,
            author=task.author,
            due_at=task.due_at,
            assignee=task.assignee,
            done_at=task.done_stamp[0] if task.done else None,
            done_by=task.done_by if task.done else None,
        )
        for key, task in state.tasks.items()
        if task.title
    ]
    return sorted(tasks, key=_order)


def _order(task: Task) -> tuple[bool, int, str]:
    if task.done_at is not None:
        return True, -task.done_at, task.task_id
    return False, 2**62 if task.due_at is None else task.due_at, task.task_id
