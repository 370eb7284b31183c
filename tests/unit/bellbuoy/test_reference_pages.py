"""The reference pages say something of each setting, metric, reason and limit, and leave none out."""

from __future__ import annotations

import ast
import re

from bellbuoy.docs.pages import PAGES
from bellbuoy.docs.pages.dead_letter_reasons import EXPLAINED
from bellbuoy.docs.pages.limits import NOT_LIMITS, REFERENCES, limits
from bellbuoy.docs.pages.metrics import MODULES, metrics
from bellbuoy.docs.pages.settings import settings
from schemas.records.dead_letters import REASONS
from tests.support.product_source import ROOT, modules


def test_every_reference_page_is_generated() -> None:
    written = {str(page.relative_to(ROOT)) for page in (ROOT / "docs" / "reference").iterdir()}
    assert written == {path for path in PAGES if path.startswith("docs/reference/")}


def test_every_setting_says_what_it_means() -> None:
    assert [one.key for one in settings() if not one.about] == []


def test_every_module_with_metrics_is_on_the_page() -> None:
    listed = {module.__name__ for modules in MODULES.values() for module in modules}
    defining = {
        path.removesuffix(".py").replace("/", ".") for path, tree in modules().items() if _makes_metrics(tree)
    }
    assert defining == listed


def test_every_metric_says_what_it_is() -> None:
    for role in MODULES:
        assert [one.name for one in metrics(role) if not one.help.endswith(".")] == []


def test_every_limit_says_what_it_is() -> None:
    rows = [one for section in REFERENCES for one in limits(section)]
    assert [one.reference for one in rows if not one.about.endswith(".")] == []


def test_every_constant_named_as_a_limit_is_on_the_page() -> None:
    listed = {reference for references in REFERENCES.values() for reference in references} | set(NOT_LIMITS)
    named = {
        f"{path.removesuffix('.py').replace('/', '.')}.{target.id}"
        for path, tree in modules().items()
        for statement in tree.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name) and re.fullmatch(r"MAX_\w+|_MAX_\w+_BYTES", target.id)
    }
    assert named - listed == set(), "add it to bellbuoy/docs/pages/limits.py"


def test_every_reason_is_explained() -> None:
    assert tuple(EXPLAINED) == REASONS


def _makes_metrics(tree: ast.Module) -> bool:
    kinds = {"Counter", "Gauge", "Histogram", "Info", "Summary", "Enum"}
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "prometheus_client"
        and kinds & {alias.name for alias in node.names}
        for node in ast.walk(tree)
    )
