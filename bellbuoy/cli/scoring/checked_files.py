"""The parts that the commands of model, rule and policy files share: checks, changes, what is in force."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from bellbuoy.cli.terminal.output import emit
from bellbuoy.exit_codes import CONFIGURATION, OK
from schemas.identity.keys import ALL_TENANTS

if TYPE_CHECKING:
    from bellbuoy.settings import Settings

__all__ = [
    "ForTenant",
    "applied_line",
    "deployed_settings",
    "fault_data",
    "in_force",
    "report_checks",
    "require_tenant",
]

ForTenant = Annotated[str, typer.Option(help="Only for this tenant.", show_default="every tenant")]


def require_tenant(tenant: str) -> str:
    """Return the tenant that a change is for; raise typer.BadParameter for a name that none can have."""
    from schemas.identity.keys import valid_tenant

    if tenant != ALL_TENANTS and not valid_tenant(tenant):
        raise typer.BadParameter("a tenant is 1-63 of a-z, 0-9, _ and -, and begins with a letter or digit")
    return tenant


def deployed_settings() -> Settings:
    """Return the settings of a deployment whose topics are there; raise as ``require_topics`` does."""
    from bellbuoy.operations.kafka.topics import require_topics
    from bellbuoy.settings import load

    settings = load()
    require_topics(settings)
    return settings


def fault_data(fault: Any) -> dict[str, Any]:
    """Return a fault of a checked file for programs."""
    return {
        "line": fault.line,
        "column": fault.column,
        "where": fault.where,
        "message": fault.message,
        "fix": fault.fix,
    }


def report_checks(
    files: Iterable[str],
    kind: str,
    check: Callable[[str], tuple[Any, Iterable[Any]]],
    summary: Callable[[Any], str],
    as_json: bool,
) -> NoReturn:
    """
    Print what is wrong with files, or what is in them, and end the command.

    ``check`` returns what a file holds, ``None`` for one with faults, and the faults. ``kind`` is what
    programs know the name of that by.
    """
    lines, data, count = [], [], 0
    for file in files:
        found, faults = check(file)
        faults = tuple(faults)
        count += len(faults)
        lines += [f"{file}:{fault}" for fault in faults]
        if found is not None:
            lines.append(f"{file}: {summary(found)}")
        data.append(
            {
                "file": file,
                kind: found and found.name,
                "version": found and found.version,
                "faults": [fault_data(fault) for fault in faults],
            }
        )
    if count:
        lines.append(f"{count} {'fault' if count == 1 else 'faults'}.")
    emit({"ok": not count, "files": data}, lines, as_json)
    raise typer.Exit(CONFIGURATION if count else OK)


def applied_line(loaded: Any, tenant: str, replaced: Sequence[str], what: str = "is in force") -> str:
    """Return what became of a file that was put in force, and of what it takes the place of, as a line."""
    from bellbuoy.operations.changes.in_force import tenant_in_words

    line = f"{loaded.name} {loaded.version} {what} for {tenant_in_words(tenant)}"
    return line + (f"; it takes the place of {', '.join(replaced)}." if replaced else ".")


def in_force(
    entries: Iterable[Any], kind: str, version: Callable[[str], str]
) -> tuple[list[str], list[dict[str, Any]]]:
    """Return what is in force as lines for people and as data, in which the name is called *kind*."""
    from bellbuoy.operations.changes.in_force import tenant_in_words
    from schemas.times import iso

    lines, data = [], []
    for entry in entries:
        number = version(entry.text or "")
        whose = tenant_in_words(entry.tenant)
        lines.append(f"{entry.name} {number}: {whose}, since {iso(entry.at)}, by {entry.author}")
        data.append(
            {
                kind: entry.name,
                "version": number,
                "tenant": entry.tenant,
                "since": entry.at,
                "author": entry.author,
            }
        )
    return lines, data
