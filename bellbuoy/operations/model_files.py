"""Reader of model files and policy files, with every fault named by its file and line."""

from __future__ import annotations

from pathlib import Path

from bellbuoy.errors import OperatorError
from bellbuoy.exit_codes import CONFIGURATION
from processors.model import Model, ModelError, check_model, default_text
from processors.model.loading import Checked
from processors.owners.policy import CheckedPolicy, Policy, check_policy, default_policy_text

__all__ = [
    "DEFAULT_NAME",
    "ModelFileError",
    "check_file",
    "check_policy_file",
    "load_file",
    "load_policy_file",
]

DEFAULT_NAME = "default"
"""Stands for the model, or policy, that comes with Bellbuoy wherever a file is asked for."""


class ModelFileError(OperatorError):
    """
    A model or policy file can't be read, or has faults; the message lists all, each with its line and fix.

    Operator action: correct the named lines; `bellbuoy model check FILE`, or `bellbuoy owners check FILE`,
    lists them again.
    """

    exit_code = CONFIGURATION


def check_file(file: str) -> Checked:
    """Return the result of checking a model file; raise ModelFileError when it can't be read."""
    return check_model(default_text() if file == DEFAULT_NAME else _read(Path(file)))


def load_file(file: str) -> Model:
    """Return the model in a file; raise ModelFileError that lists every fault with its line."""
    checked = check_file(file)
    if checked.model is None:
        raise ModelFileError("\n".join(f"{file}:{fault}" for fault in ModelError(checked.faults).faults))
    return checked.model


def check_policy_file(file: str) -> CheckedPolicy:
    """Return the result of checking a policy file; raise ModelFileError when it can't be read."""
    return check_policy(default_policy_text() if file == DEFAULT_NAME else _read(Path(file)))


def load_policy_file(file: str) -> Policy:
    """Return the policy in a file; raise ModelFileError that lists every fault with its line."""
    checked = check_policy_file(file)
    if checked.policy is None:
        raise ModelFileError("\n".join(f"{file}:{fault}" for fault in checked.faults))
    return checked.policy


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ModelFileError(f"{file}: not UTF-8 at byte {error.start}; save it as UTF-8 text") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ModelFileError(f"{file}: {reason}; give the path of a file, or `{DEFAULT_NAME}`") from None
