"""What the documentation names is there: links, files, folders, settings, metrics, commands and options."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from bellbuoy.cli.app import app
from bellbuoy.docs.pages.metrics import MODULES, metrics
from bellbuoy.docs.pages.settings import settings
from tests.support.product_source import PACKAGES, ROOT, modules

DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
FOLDERS = (*PACKAGES, "bench", "chaos", "docs", "ops", "tests")
ARCHITECTURE = (DOCS / "architecture.md").read_text()

TO_ADD = {
    "docs/channels/NAME.md",
    "docs/channels/discord.md",
}
"""Files that pages take as examples of what one adds."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_a_page_and_its_heading(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", _without_code(page.read_text())):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if "://" in link:
            continue
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    assert broken == []


def test_the_index_lists_every_page() -> None:
    index, sources = (DOCS / "README.md").read_text(), (DOCS / "sources/README.md").read_text()
    missing = [
        str(page.relative_to(DOCS))
        for page in DOCS.rglob("*.md")
        if f"({page.relative_to(DOCS)}" not in index
        and page.name != "README.md"
        and not (page.parent == DOCS / "sources" and f"({page.name})" in sources)
    ]
    assert missing == []


def test_files_that_pages_and_docstrings_name_exist() -> None:
    texts = {str(page.relative_to(ROOT)): page.read_text() for page in PAGES}
    texts |= {path: (ROOT / path).read_text() for path in modules()}
    named = re.compile(
        rf"(?<![\w/.-])(?:{'|'.join(FOLDERS)})/[\w/.-]*\w\.(?:py|md|in|yaml|yml|json|avsc|lua)\b"
    )
    missing = [
        f"{where}: {path}"
        for where, text in texts.items()
        for path in named.findall(text)
        if path not in TO_ADD and not (ROOT / path).exists() and not ((ROOT / where).parent / path).exists()
    ]
    assert missing == []


def test_settings_that_pages_name_exist() -> None:
    keys = {one.key for one in settings()}
    areas = {key.partition(".")[0] for key in keys if "." in key}
    parents = {".".join(key.split(".")[:n]) for key in keys for n in range(1, 4)}
    named = re.compile(rf"`((?:{'|'.join(areas)})\.[a-z_]+)`")
    missing = [(page, key) for page, key in _named(named) if key not in keys | parents]
    assert [where for where in missing if not (ROOT / where[1].replace(".", "/")).exists()] == []


def test_metrics_that_pages_name_exist() -> None:
    known = {one.name for role in MODULES for one in metrics(role)}
    named = re.compile(r"`(bellbuoy_[a-z_]+)")
    assert [f"{page}: {metric}" for page, metric in _named(named) if metric not in known] == []


def test_commands_that_pages_name_exist() -> None:
    root = typer.main.get_command(app)
    faults = []
    for page in (*PAGES, ROOT / "ops" / "alerts.yml"):
        if page.name == "CHANGELOG.md":  # it also names what is gone
            continue
        for line in re.findall(r"^bellbuoy [^\n]*|`bellbuoy [^`\n]*`", page.read_text(), re.MULTILINE):
            fault = _fault(root, re.sub(r"\s#.*|`", "", line).split()[1:])
            if fault:
                faults.append(f"{page.relative_to(ROOT)}: {line}: {fault}")
    assert faults == []


def test_the_architecture_has_every_folder_and_no_other() -> None:
    tree = ARCHITECTURE.split("### The tree")[1].split("```")[1]
    listed: set[str] = set()
    package = ""
    for indent, path in re.findall(r"^( *)([a-z_]+/) ", tree, re.MULTILINE):
        package = package if indent else path
        listed.add(f"{package}{path}" if indent else path)
    folders = {
        f"{folder.relative_to(ROOT)}/"
        for name in PACKAGES
        for folder in (ROOT / name, *(ROOT / name).iterdir())
        if folder.is_dir() and folder.name != "__pycache__"
    }
    assert listed == folders


def test_the_architecture_has_the_import_contracts() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    for contract in contracts:
        if "containers" in contract:
            layers = [layer.replace("|", r"\|") for layer in contract["layers"] if layer != "__main__"]
            order = " → ".join(f"`{layer}`" for layer in layers)
            assert f"| `{contract['containers'][0]}` | {order} |" in ARCHITECTURE


def _named(pattern: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    for page in PAGES:
        yield from ((str(page.relative_to(ROOT)), name) for name in pattern.findall(page.read_text()))


def _fault(command: Any, words: list[str]) -> str:
    """Return what of a command line doesn't exist: a command or an option."""
    for word in words:
        commands = getattr(command, "commands", {})
        if commands and not word.startswith("-"):
            if word not in commands:
                return f"no command {word}" if re.fullmatch(r"[a-z-]+", word) else ""
            command = commands[word]
        elif word.startswith("--"):
            known = {name for parameter in command.params for name in parameter.opts}
            if word.partition("=")[0] not in known | {"--help"}:
                return f"no option {word}"
    return ""


def _without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
