"""Reader of model, rule and policy files, with every fault named by its file and line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from bellbuoy.errors import OperatorError
from bellbuoy.exit_codes import CONFIGURATION
from processors.model import Model, check_model, default_text
from processors.model.loading import Checked
from processors.owners.policy import CheckedPolicy, Policy, check_policy, default_policy_text
from processors.rules import CheckedRules, RuleSet, check_rules, default_rules_text
from schemas.checked_files.faults import Fault, NoDocumentError
from schemas.checked_files.reader import decoded

__all__ = [
    "DEFAULT_NAME",
    "ModelFileError",
    "check_file",
    "check_policy_file",
    "check_rule_file",
    "load_file",
    "load_policy_file",
    "load_rule_file",
    "model_text",
]

T = TypeVar("T")

DEFAULT_NAME = "default"
"""Stands for the model, the rules or the policy that come with Bellbuoy, wherever a file is asked for."""


class ModelFileError(OperatorError):
    """
    A model, rule or policy file can't be read, or has faults; the message lists all, with line and fix.

    Operator action: correct the named lines; `bellbuoy model check FILE`, `bellbuoy rules check FILE` or
    `bellbuoy owners check FILE` lists them again.
    """

    exit_code = CONFIGURATION


def check_file(file: str) -> Checked:
    """Return the result of checking a model file; one that can't be read is a fault."""
    try:
        return check_model(_text(file, default_text()))
    except NoDocumentError as error:
        return Checked(None, error.faults, ())


def load_file(file: str) -> Model:
    """Return the model in a file; raise ModelFileError that lists every fault with its line."""
    checked = check_file(file)
    return _usable(file, checked.model, checked.faults)


def model_text(file: str) -> str:
    """Return the text of a model file; raise ModelFileError when it can't be read."""
    try:
        return _text(file, default_text())
    except NoDocumentError as error:
        return _usable(file, None, error.faults)


def check_rule_file(file: str) -> CheckedRules:
    """Return the result of checking a rule file; one that can't be read is a fault."""
    default = default_rules_text()
    try:
        return check_rules(_text(file, default), default)
    except NoDocumentError as error:
        return CheckedRules(None, error.faults)


def load_rule_file(file: str) -> RuleSet:
    """Return the rules in a file; raise ModelFileError that lists every fault with its line."""
    checked = check_rule_file(file)
    return _usable(file, checked.rules, checked.faults)


def check_policy_file(file: str) -> CheckedPolicy:
    """Return the result of checking a policy file; one that can't be read is a fault."""
    try:
        return check_policy(_text(file, default_policy_text()))
    except NoDocumentError as error:
        return CheckedPolicy(None, error.faults)


def load_policy_file(file: str) -> Policy:
    """Return the policy in a file; raise ModelFileError that lists every fault with its line."""
    checked = check_policy_file(file)
    return _usable(file, checked.policy, checked.faults)


def _usable(file: str, found: T | None, faults: Iterable[Fault]) -> T:
    if found is None:
        raise ModelFileError("\n".join(f"{file}:{fault}" for fault in sorted(faults)))
    return found


def _text(file: str, default: str) -> str:
    """Return a file's text; raise NoDocumentError where there is none, or no text."""
    if file == DEFAULT_NAME:
        return default
    try:
        return decoded(Path(file).read_bytes())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        fix = f"give the path of a file, or `{DEFAULT_NAME}`"
        raise NoDocumentError([Fault(1, 1, "", reason, fix)]) from None
