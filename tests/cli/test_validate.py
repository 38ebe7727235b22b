"""`remit validate` from a terminal: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb
import pytest

from remit.cli.validate import without_password
from remit_packs.validation.demo import demo_files

ROOT = Path(__file__).parents[2]
Said = tuple[int, str, str]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with two files, in which `remit` runs commands."""
    for name in [n for n in os.environ if n.startswith(("REMIT_", "OTEL_"))] + ["NO_COLOR"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    demo_files(tmp_path)
    return tmp_path


def write(path: str, select: str) -> None:
    """A Parquet file."""
    with duckdb.connect(":memory:") as connection:
        connection.sql(select).write_parquet(path)


# diff


def test_a_diff_needs_no_set_up(remit: Callable[..., Said]) -> None:
    """Two files, a key: counts, changed columns, the rows, and exit code 1."""
    code, out, err = remit("validate", "diff", "a.parquet", "b.csv", "--key", "order_id")
    assert code == 1, err
    assert out.startswith("FAILED")
    assert "3 changed (`amount`)" in out
    assert re.search(r"changed +100018 +amount +26\.28 +26\.29", out)
    assert len(re.findall(r"^changed ", out, re.MULTILINE)) == 3
    assert "Traceback" not in err


def test_a_key_is_found_by_itself(remit: Callable[..., Said]) -> None:
    """The one column that names each row on both sides."""
    code, out, _ = remit("validate", "diff", "a.parquet", "b.csv", "--ignore", "amount", "--json")
    found = json.loads(out)
    assert (code, found["status"], found["key"]) == (0, "PASSED", ["order_id"])


def test_no_key_can_be_found(remit: Callable[..., Said]) -> None:
    """Then it says how to name one."""
    write("x.parquet", "SELECT 1 AS a FROM range(3)")
    code, _, err = remit("validate", "diff", "x.parquet", "x.parquet")
    assert code == 3
    assert "--key" in err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["diff", "a.parquet", "nope.csv", "-k", "order_id"], 3, "E564"),
        (["diff", "a.parquet", "b.csv", "-k", "nope"], 3, "E592"),
        (["diff", "a.parquet", "b.csv", "--columns", "order_id,nope", "-k", "order_id"], 3, "E592"),
        (["diff", "a.parquet"], 2, "TARGET"),
        (["diff", "postgresql://ana@127.0.0.1:1/shop/orders", "b.csv", "-k", "order_id"], 3, "E562"),
        (["run"], 2, "--all"),
        (["run", "nope"], 3, "E104"),
        (["run", "--config", "nope"], 3, "E104"),
        (["run", "--all"], 3, "E596"),
        (["report", "run_nope"], 2, "E104"),
        (["report", "vr_nope"], 2, "E104"),
        (["suggest", "nope.parquet"], 3, "E564"),
        (["diff", "a.parquet", "b.csv", "-k", "order_id", "--html", "a.parquet/x.html"], 2, "E603"),
    ],
)
def test_exit_codes(remit: Callable[..., Said], arguments: list[str], code: int, said: str) -> None:
    """2 for what was typed, 3 for what could not be read or decided; each with a code and a sentence."""
    found, _, err = remit("validate", *arguments)
    assert found == code, err
    assert said in err
    assert "Traceback" not in err


def test_a_password_is_taken_out_of_everything(remit: Callable[..., Said], tmp_path: Path) -> None:
    """Neither the journal, nor the report, nor the terminal has it; the login is tried with it all the same."""
    url = "postgresql://ana:top%2Fsecret%40word@127.0.0.1:1/shop/orders"
    code, out, err = remit(
        "validate", "diff", url, "b.csv", "-k", "order_id", "--html", "r.html", "--junit", "r.xml", "-v"
    )
    assert code == 3
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    everything = "".join(p.read_bytes().decode("latin-1") for p in files) + out + err
    for spelling in ("top%2Fsecret%40word", "top/secret@word", "secret@word"):
        assert spelling not in everything


@pytest.mark.parametrize(
    ("location", "kept", "secrets"),
    [
        ("postgresql://u:p@h/d/t", "postgresql://u:${secret:s}@h/d/t", {"s": "p"}),
        ("mysql://u:a%40b%3Ac@h:3/d/t", "mysql://u:${secret:s}@h:3/d/t", {"s": "a@b:c"}),
        ("postgresql://u:p@ss@h/d/t", "postgresql://u:${secret:s}@h/d/t", {"s": "p@ss"}),
        (
            "postgresql://u@h/d/t?password=x+y&a=1",
            "postgresql://u@h/d/t?password=${secret:s}&a=1",
            {"s": "x y"},
        ),
        ("postgresql://u:${secret:mine}@h/d/t", "postgresql://u:${secret:mine}@h/d/t", {}),
        ("postgresql://u@h/d/t", "postgresql://u@h/d/t", {}),
        ("postgresql://u:p/w@h/d/t", "postgresql://u:${secret:s}@h/d/t", {"s": "p/w"}),
        ("postgresql://h:5432/d/a@b", "postgresql://h:5432/d/a@b", {}),
        ("s3://b/k?secret_key=a/b", "s3://b/k?secret_key=${secret:s}", {"s": "a/b"}),
        ("s3://b/k?session_token=t", "s3://b/k?session_token=${secret:s}", {"s": "t"}),
        ("s3://bucket/key:1@2.parquet", "s3://bucket/key:1@2.parquet", {}),
        ("C:/data@home/x.csv", "C:/data@home/x.csv", {}),
        ("orders", "orders", {}),
    ],
)
def test_where_a_password_stands(location: str, kept: str, secrets: dict[str, str]) -> None:
    """In the login or in the query; what only looks like one stays."""
    found: dict[str, str] = {}
    assert without_password(location, "s", found) == kept
    assert found == secrets


# rules


@pytest.fixture
def ruled(remit: Callable[..., Said]) -> Callable[..., Said]:
    """The example of the repository, applied."""
    os.symlink(ROOT / "examples", "examples")
    code, _, err = remit("apply", "-f", "examples/validation")
    assert code == 0, err
    return remit


def test_the_example_finds_what_went_wrong(ruled: Callable[..., Said]) -> None:
    """Two rules hold, four do not; JUnit and HTML say so too."""
    code, out, err = ruled(
        "validate", "run", "orders_warehouse", "--junit", "out/r.xml", "--html", "out/r.html"
    )
    assert code == 1, err
    assert dict(_statuses(out)) == {
        "orders-amount": "FAILED",
        "orders-count": "PASSED",
        "orders-customer": "FAILED",
        "orders-key": "PASSED",
        "orders-rows": "FAILED",
        "orders-status": "FAILED",
    }
    suite = ElementTree.parse("out/r.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("6", "4", "0")
    page = Path("out/r.html").read_text()
    assert "orders-customer" in page
    assert "1030" in page


def _statuses(out: str) -> list[tuple[str, str]]:
    return [
        (name, status) for status, name in re.findall(r"^(\w+) +orders_warehouse +(\S+) ", out, re.MULTILINE)
    ]


def test_one_rule_as_json(ruled: Callable[..., Said]) -> None:
    """One JSON document on stdout, with the evidence."""
    code, out, _ = ruled("validate", "run", "--config", "orders-key", "--json")
    (run,) = json.loads(out)["runs"]
    assert (code, run["status"], run["details"]["distinct_count"]) == (0, "PASSED", 39)


def test_a_report_of_an_earlier_run(ruled: Callable[..., Said]) -> None:
    """By the run's id, and of one rule by the run log's."""
    _, out, err = ruled("validate", "run", "orders_warehouse", "--json")
    (agent_run,) = re.findall(r"run_[0-9a-f]{26}", err + out)[:1]
    code, out, err = ruled("validate", "report", agent_run, "--html", "r.html")
    assert code == 1, err
    assert len(_statuses(out)) == 6
    log = _runs(ruled, agent_run)
    code, out, err = ruled("validate", "report", log["orders-rows"], "--html", "one.html")
    assert (code, len(_statuses(out))) == (1, 1), err
    assert "lost" in Path("one.html").read_text()


def _runs(remit: Callable[..., Said], agent_run: str) -> dict[str, str]:
    import asyncio

    from remit import open_app

    async def read() -> dict[str, str]:
        async with open_app() as app:
            page = await app.validation_runs.list("local", table_id="orders_warehouse")
            return {run.config_id: run.run_id for run in page.items if run.agent_run == agent_run}

    return asyncio.run(read())


def test_suggestions_are_documents_that_apply(ruled: Callable[..., Said]) -> None:
    """What is printed is applied as it stands, and then holds."""
    code, out, err = ruled("validate", "suggest", "orders_shop")
    assert code == 0, err
    Path("suggested.yaml").write_text(out)
    code, _, err = ruled("apply", "-f", "suggested.yaml")
    assert code == 0, err
    code, out, err = ruled("validate", "run", "orders_shop")
    assert code == 0, out + err


def test_suggestions_as_drafts(ruled: Callable[..., Said]) -> None:
    """`--write` keeps them, and nothing is active by that."""
    code, _, err = ruled("validate", "suggest", "customers", "--write")
    assert code == 0, err
    assert "draft customers-schema version 1" in err
    code, _, err = ruled("validate", "run", "customers")
    assert (code, "E596" in err) == (3, True)


def test_the_tutorial_runs_as_it_is_written(remit: Callable[..., Said], tmp_path: Path) -> None:
    """Every command of the page, in order, with two files of one's own; each ends as the page says."""
    page = (ROOT / "docs/tutorial/first-validation.md").read_text()
    lines = [
        line
        for block in re.findall(r"^```bash\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]
    said: dict[str, Any] = {}
    for line in lines:
        command, _, comment = line.partition("  #")
        if not command.startswith("remit "):
            continue
        expected = int(re.search(r"exit code (\d)", comment)[1]) if "exit code" in comment else 0  # type: ignore[index]
        code, out, err = remit(*shlex.split(command)[1:])
        assert code == expected, f"{command}\n{out}\n{err}"
        said[command] = out
    assert len(said) >= 6
