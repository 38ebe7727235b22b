"""`remit policy`: check profiles, and test that they decide as expected."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from remit.cli import options as o
from remit.cli.console import document, paint, say, show, table
from remit.cli.session import settings_for
from remit.cli.text import plural

if TYPE_CHECKING:
    from remit.core.policy import Profile
    from remit.engine.policytest import CaseResult

app = typer.Typer(no_args_is_help=True, help="Check policy profiles, and test them.", rich_markup_mode=None)

FAILED = 1

Folders = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[FOLDER]...", help="Folders with profiles; default: those of remit.toml.", show_default=False
    ),
]


@app.command("check")
def check(folders: Folders = None, as_json: o.Json = False) -> None:
    """Load every profile and validate it against the schema; exit 3 lists what is wrong, by file and line."""
    profiles = _profiles(folders)
    if as_json:
        document(
            {name: {"digest": p.digest, "approver_roles": p.approver_roles} for name, p in profiles.items()}
        )
        return
    rows = [
        [
            name,
            p.digest.removeprefix("sha256:")[:12],
            ", ".join(p.approver_roles),
            str(p.quorum),
            str(p.cedar.count("@id(")),
        ]
        for name, p in sorted(profiles.items())
    ]
    table(["profile", "version", "approvers", "quorum", "policies"], rows)
    say(paint(f"{plural(len(profiles), 'profile')} valid", "good"))


@app.command("test")
def run_tests(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Files of cases (TOML or JSON), or folders of them."),
    ],
    folder: Annotated[
        list[Path] | None,
        typer.Option("--policies", metavar="FOLDER", help="Folders with profiles.", show_default=False),
    ] = None,
    as_json: o.Json = False,
) -> None:
    """Run policy tests: each case is a question and the verdict it must get. Exit 1 when one fails."""
    from remit.adapters.policy.cedar import CedarPolicy
    from remit.engine.policytest import load_cases, report, run_cases

    policy = CedarPolicy(_profiles(folder))
    results = [r for path in _case_files(files) for r in run_cases(policy, load_cases(path))]
    if as_json:
        document([_as_dict(r) for r in results])
    else:
        show(report(results))
    if not all(r.passed for r in results):
        raise typer.Exit(FAILED)


def _profiles(folders: list[Path] | None) -> dict[str, Profile]:
    from remit.adapters.policy.files import load_profiles

    return load_profiles(folders or settings_for().policies)


def _case_files(paths: list[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        found += sorted(p for s in ("*.toml", "*.json") for p in path.rglob(s)) if path.is_dir() else [path]
    return [p for p in found if p.name != "profile.toml"]


def _as_dict(result: CaseResult) -> dict[str, object]:
    verdict = result.decision.verdict if result.decision else ""
    return {"case": result.case.title, "passed": result.passed, "verdict": verdict, "problem": result.problem}
