"""The command ``bellbuoy``: its table of commands, its own options, and its exit codes."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from bellbuoy.cli.account import account
from bellbuoy.cli.alerts import alerts
from bellbuoy.cli.backtest import backtest
from bellbuoy.cli.check import check
from bellbuoy.cli.command_log import log_warnings
from bellbuoy.cli.deadletters import deadletters
from bellbuoy.cli.errors import report_error
from bellbuoy.cli.events import events
from bellbuoy.cli.explain import explain
from bellbuoy.cli.import_ import import_
from bellbuoy.cli.model import model
from bellbuoy.cli.notify import notify
from bellbuoy.cli.options import EXIT_CODES
from bellbuoy.cli.override import override
from bellbuoy.cli.owners import owners
from bellbuoy.cli.portfolio import portfolio
from bellbuoy.cli.rebuild import rebuild
from bellbuoy.cli.recover import recover
from bellbuoy.cli.replay import replay
from bellbuoy.cli.roles import console, deliver, gateway, journal, worker
from bellbuoy.cli.rules import rules
from bellbuoy.cli.send import send
from bellbuoy.cli.simulate import demo, simulate
from bellbuoy.cli.sinks import sinks
from bellbuoy.cli.tokens import tokens
from bellbuoy.cli.topics import topics
from bellbuoy.cli.up import up
from bellbuoy.own_packages import require_own_packages

__all__ = ["app", "main"]

_HELP = ["-h", "--help"]
_HELP_ASKED = "bellbuoy.help_asked"
_FIRST_SENTENCE = 200
_WITHOUT_LOG = {"alerts", "explain", "portfolio"}
"""Commands that read a sink alone: none of their modules logs, and structlog takes long to load."""


class _Group(TyperGroup):
    """The group of all commands: lists them by panel, and notes whether only help is asked for."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.meta[_HELP_ASKED] = not set(_HELP).isdisjoint(args)
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - typer's method
        panels: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for command in _COMMANDS:
            found: Any = self.commands[command]
            panels[found.rich_help_panel].append((command, found.get_short_help_str(_FIRST_SENTENCE)))
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl(rows)


app = typer.Typer(
    name="bellbuoy",
    cls=_Group,
    context_settings={"help_option_names": _HELP},
    help="Explained churn-risk alerts from product, support and billing events, within about a second.\n\n"
    "\b\nExamples:\n  bellbuoy demo               a simulated company, scored live, in a minute\n"
    "  bellbuoy up                 everything on this machine, until Ctrl-C\n"
    "  bellbuoy check              are the settings and the servers right?\n"
    "  bellbuoy worker             one role, against the servers in the settings\n\n"
    "Settings come from bellbuoy.toml and from BELLBUOY_* variables, which win.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_COMMANDS: list[str] = []
"""The names of the commands in the order of their panels."""

# A command's module imports what it needs when the command runs, so that help and every start are quick; and
# help texts are plain, because rich takes longer to load than all the rest.
for panel, commands in {
    "Start here": (demo, up, check),
    "Customers": (explain, portfolio, alerts, owners, override, model, rules, backtest),
    "Roles, each a process": (gateway, journal, worker, deliver, console),
    "Operation": (
        topics,
        sinks,
        notify,
        account,
        events,
        import_,
        send,
        deadletters,
        rebuild,
        recover,
        replay,
        simulate,
        tokens,
    ),
}.items():
    for command in commands:
        name = str(command.info.name) if isinstance(command, typer.Typer) else command.__name__.rstrip("_")
        _COMMANDS.append(name)
        if isinstance(command, typer.Typer):
            app.add_typer(command, rich_help_panel=panel)
        else:
            app.command(name, epilog=EXIT_CODES, rich_help_panel=panel)(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"bellbuoy {version('bellbuoy')}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option(help="Read the settings from this file instead of bellbuoy.toml.")
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    require_own_packages()
    if config is not None:
        os.environ["BELLBUOY_CONFIG"] = str(config)
    if not context.meta[_HELP_ASKED] and context.invoked_subcommand not in _WITHOUT_LOG:
        log_warnings()  # a role says more


def main() -> None:
    """Run the command; every error becomes a message and an exit code."""
    try:
        app()
    except Exception as error:  # noqa: BLE001 - the last place: nobody else tells the operator
        sys.exit(report_error(error))
