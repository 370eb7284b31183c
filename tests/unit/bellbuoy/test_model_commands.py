"""The command `bellbuoy model` at a terminal, and the examples and tables of docs/model.md."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bellbuoy.cli.app import app
from bellbuoy.operations.model_files import ModelFileError, load_file
from processors.model import check_model
from processors.model.plan.account_facts import ACCOUNT
from tests.unit.processors.test_model_file import SMALL, TEN

GUIDE = (Path(__file__).parents[3] / "docs" / "model.md").read_text()


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["model", *words])
    return result.exit_code, result.stdout


def test_help_lists_every_command() -> None:
    code, text = run("--help")
    assert code == 0
    for command in ("check", "explain", "diff", "schema", "measures", "apply", "withdraw", "live"):
        assert re.search(rf"│ {command} ", text), command


def test_check_lists_every_fault_behind_the_file(tmp_path: Path) -> None:
    file = tmp_path / "health.yaml"
    file.write_text(TEN)
    code, said = run("check", str(file))
    assert code == 2
    assert said.splitlines()[-1] == "12 faults."
    assert (
        f"{file}:10:3: measures.usage.dropp: no such measure: usage.dropp; did you mean usage.drop?" in said
    )


def test_check_sees_whether_models_can_stand_side_by_side(tmp_path: Path) -> None:
    file = tmp_path / "health.yaml"
    file.write_text(SMALL)
    assert run("check", "default", str(file))[0] == 0
    code, said = run("check", "--together", "default", str(file))
    assert code == 2
    assert "default and small are both for all the rest" in said


def test_explain_tries_a_model_on_an_account() -> None:
    code, said = run(
        "explain", "default", "--fact", "usage.drop=0.4", "--fact", "support.urgent=60", "--json"
    )
    assert code == 0
    found = json.loads(said)
    assert {m["name"]: m["score"] for m in found["measures"]}["usage.drop"] == pytest.approx(28)
    assert [cap["name"] for cap in found["caps"]] == ["urgent_ticket"]
    assert "at most 40 while support.urgent is at least 48" in run("explain", "default")[1]


def test_explain_refuses_a_measure_that_is_none() -> None:
    assert run("explain", "default", "--fact", "usage.dropp=1")[0] == 2


def test_diff_names_what_differs(tmp_path: Path) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text(SMALL)
    other.write_text(SMALL.replace("weight: 3", "weight: 4"))
    assert "~ share of usage.silence: 75.0 → 80.0" in run("diff", str(one), str(other))[1]
    assert "They are the same model." in run("diff", "default", "default")[1]


@pytest.mark.parametrize(("content", "said"), [(None, "No such file"), (b"\xff", "not UTF-8 at byte 0")])
def test_a_file_that_can_not_be_read_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "health.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ModelFileError, match=said):
        load_file(str(file))


def test_the_guides_example_is_a_model_without_warnings() -> None:
    [example] = re.findall(r"```yaml\n(.*?)```", GUIDE, flags=re.DOTALL)
    checked = check_model(example)
    assert checked.faults == ()
    assert checked.warnings == ()


def test_the_guide_lists_every_fact() -> None:
    assert re.findall(r"^\| `account\.(\w+)` \|", GUIDE, flags=re.MULTILINE) == list(ACCOUNT)


def test_measures_are_listed_by_a_part_of_their_name() -> None:
    found = json.loads(CliRunner().invoke(app, ["model", "measures", "seats", "--json"]).stdout)

    assert found
    assert all("seats" in measured["name"] and measured["unit"] and measured["needs"] for measured in found)
    assert CliRunner().invoke(app, ["model", "measures", "no such"]).exit_code == 2


def test_an_override_of_an_alias_is_refused() -> None:
    result = CliRunner().invoke(app, ["override", "set", "~user:7", "20", "--reason", "r"])
    assert result.exit_code == 2
    assert "is an alias and has no score" in result.stderr
