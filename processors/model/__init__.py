"""
Health models: files that say which measures count how much, and what makes a score, a cap and a band of them.

A model file is YAML (docs/model.md teaches it). ``load_model`` returns its text as a frozen :class:`Model`;
``processors.scoring.score`` computes with it.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

from processors.model.differences import Difference, differences
from processors.model.file.format import json_schema
from processors.model.loading import Checked, ModelError, check_model, load_model
from processors.model.model import Model, choose, clashes
from processors.model.plan.bands import Bands
from processors.model.plan.plan import Plan
from schemas.checked_files.faults import Fault

__all__ = [
    "DEFAULT",
    "Bands",
    "Checked",
    "Difference",
    "Fault",
    "Model",
    "ModelError",
    "Plan",
    "check_model",
    "choose",
    "clashes",
    "default_text",
    "differences",
    "json_schema",
    "load_model",
]


@cache
def default_text() -> str:
    """Return the text of the default model's file."""
    return (resources.files("processors") / "model" / "default.yaml").read_text()


DEFAULT = load_model(default_text())
"""The default model. Its numbers are our own and have not been backtested yet."""
