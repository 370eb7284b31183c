"""The assets: vendored files are those of their releases, and nothing comes from elsewhere."""

from __future__ import annotations

import hashlib
import json
import re

from bellbuoy.console.assets import Assets
from tests.support.product_source import ROOT

CONSOLE = ROOT / "bellbuoy/console"
VENDORED = json.loads((CONSOLE / "assets/vendored.json").read_text())


def test_vendored_files_are_those_of_their_releases() -> None:
    for name, one in VENDORED.items():
        assert hashlib.sha256((CONSOLE / "assets" / name).read_bytes()).hexdigest() == one["sha256"], name
        assert one["license"]
        assert one["package"]


def test_every_other_file_is_our_own() -> None:
    own = {"console.css", "console.js", "locale.js", "buoy.svg", "vendored.json"}
    assert {path.name for path in (CONSOLE / "assets").iterdir()} == own | set(VENDORED)


def test_addresses_change_with_the_content() -> None:
    assets = Assets()
    assert re.fullmatch(r"/assets/console\.[0-9a-f]{12}\.css", assets.url("console.css"))
    assert assets.url("inter.woff2").endswith(".woff2")


def test_pages_name_no_other_site_and_have_no_inline_code() -> None:
    for page in (*(CONSOLE / "templates").iterdir(), CONSOLE / "assets/console.css"):
        text = page.read_text()
        assert "://" not in text, page
        assert " style=" not in text, page
        assert not re.search(r"\son\w+=", text), page
        assert "<script>" not in text, page
        assert "|safe" not in text, page
