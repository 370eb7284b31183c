"""Reader of rule files, with every fault named by its file and line."""

from __future__ import annotations

from pathlib import Path

from bellbuoy.errors import OperatorError
from bellbuoy.exit_codes import CONFIGURATION
from processors.rules import CheckedRules, RulesError, RuleSet, check_rules, default_rules_text

__all__ = ["DEFAULT_NAME", "RuleFileError", "check_rule_file", "load_rule_file"]

DEFAULT_NAME = "default"
"""Stands for the rules that come with Bellbuoy wherever a file is asked for."""


class RuleFileError(OperatorError):
    """
    A rule file can't be read, or has faults; the message lists every one with its line and the fix.

    Operator action: correct the named lines; `bellbuoy rules check FILE` lists them again.
    """

    exit_code = CONFIGURATION


def check_rule_file(file: str) -> CheckedRules:
    """Return the result of checking a rule file; raise RuleFileError when it can't be read."""
    default = default_rules_text()
    return check_rules(default if file == DEFAULT_NAME else _read(Path(file)), default)


def load_rule_file(file: str) -> RuleSet:
    """Return the rules in a file; raise RuleFileError that lists every fault with its line."""
    checked = check_rule_file(file)
    if checked.rules is None:
        raise RuleFileError("\n".join(f"{file}:{fault}" for fault in RulesError(checked.faults).faults))
    return checked.rules


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RuleFileError(f"{file}: not UTF-8 at byte {error.start}; save it as UTF-8 text") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise RuleFileError(f"{file}: {reason}; give the path of a rule file, or `{DEFAULT_NAME}`") from None
