"""The command ``bellbuoy``: its help, its own options, and its exit codes."""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from bellbuoy.cli.commands import PANELS, Commands
from bellbuoy.cli.options import EXIT_CODES
from bellbuoy.cli.terminal.command_log import log_warnings
from bellbuoy.cli.terminal.errors import report_error
from bellbuoy.own_packages import require_own_packages

__all__ = ["app", "main"]

_HELP = ["-h", "--help"]
_HELP_ASKED = "bellbuoy.help_asked"
_FIRST_SENTENCE = 200
_SHORT = {"alerts", "explain", "portfolio"}
"""Commands that read a sink and end: none of their modules logs, and structlog takes long to load."""


class _Group(TyperGroup):
    """The group of all commands: lists them by panel, and notes whether only help is asked for."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands: Any = Commands()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.meta[_HELP_ASKED] = not set(_HELP).isdisjoint(args)
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - typer's method
        for panel, names in PANELS.items():
            with formatter.section(panel):
                formatter.write_dl([(name, self._sentence(name)) for name in names])

    def _sentence(self, name: str) -> str:
        sentence: str = self.commands[name].get_short_help_str(_FIRST_SENTENCE)
        return sentence


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
    if not context.meta[_HELP_ASKED] and context.invoked_subcommand not in _SHORT:
        gc.enable()
        log_warnings()  # a role says more


def main() -> None:
    """Run the command; every error becomes a message and an exit code."""
    gc.disable()  # searching all that a start loads for garbage takes a fifth of a short command's time
    try:
        app()
    except Exception as error:  # noqa: BLE001 - the last place: nobody else tells the operator
        sys.exit(report_error(error))
    finally:
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C again: end now, without a word
        if not gc.isenabled():
            gc.freeze()  # the interpreter's end would search all of it, too
