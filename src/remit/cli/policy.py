"""`remit policy`: check profiles, test that they decide as expected, and see what they make of tools and have decided."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from remit.cli import options as o
from remit.cli.answers import Items, listed
from remit.cli.console import document, paint, say, show, status, table
from remit.cli.session import settings_for, with_app
from remit.cli.text import brief, moment, plural
from remit.core.errors import InputError

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.core.policy import Profile
    from remit.engine.decisions import Decided, DecisionLog
    from remit.engine.policy_tools import ToolPolicy
    from remit.engine.policytest import CaseResult

app = typer.Typer(
    no_args_is_help=True,
    help="Check and test policy profiles, and see what they decide.",
    rich_markup_mode=None,
)

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
        document({"items": [_as_dict(r) for r in results]})
    else:
        show(report(results))
    if not all(r.passed for r in results):
        raise typer.Exit(FAILED)


@app.command("decisions")
def decisions(
    verdict: Annotated[
        str, typer.Option("--verdict", help="allow, needs_approval or deny.", show_default=False)
    ] = "",
    tool: Annotated[
        str, typer.Option("--tool", metavar="NAME", help="Only calls of this tool.", show_default=False)
    ] = "",
    agent: Annotated[
        str, typer.Option("--agent", metavar="NAME", help="Only calls by this agent.", show_default=False)
    ] = "",
    limit: o.Limit = 50,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """What policy said of the calls that runs made, newest first. With a filter a page may be short, and still go on."""
    from typing import get_args

    from remit.core.policy import Verdict
    from remit.engine.decisions import DecisionFilter

    o.one_of("--verdict", verdict, get_args(Verdict))

    async def work(program: App) -> DecisionLog:
        wanted = DecisionFilter(verdict, tool, agent)
        return await program.decisions.list(tenant, wanted, limit=limit, cursor=cursor or None)

    header = ["when", "verdict", "call", "agent", "decided by", "run", "what came of it"]
    listed(with_app(work, home=home), as_json, header, _decided)


def _decided(each: Decided) -> list[str]:
    return [
        moment(each.at),
        status(each.verdict),
        brief(each.resource),
        brief(each.agent),
        brief(", ".join(each.policies), 40),
        each.run_id,
        each.outcome or brief(each.reason, 60),
    ]


@app.command("tools")
def tools(
    profile: Annotated[
        str, typer.Option("--profile", metavar="NAME", help="The policy profile.")
    ] = "default",
    agent: Annotated[
        str, typer.Option("--agent", metavar="NAME", help="As this agent.", show_default=False)
    ] = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Which tools run, which wait for a person and which are refused, by what the run has read before."""
    from remit.engine.policy_tools import SITUATIONS, judged
    from remit.engine.profiles import in_force
    from remit.engine.resolving import must_exist

    async def work(program: App) -> list[ToolPolicy]:
        if agent:
            await must_exist(program.registry, program.catalogue, tenant, agent)
        held = await in_force(program.registry, program.policy, tenant, profile)
        specs = [program.catalogue.tools[name].spec for name in sorted(program.catalogue.tools)]
        return judged(program.policy, specs, tenant, held.key, agent)

    words = {
        "allow": paint("runs", "good"),
        "needs_approval": paint("asks", "warn"),
        "deny": paint("no", "bad"),
    }
    header = ["tool", "risk", *(each.name.replace("_", " ") for each in SITUATIONS)]
    listed(
        Items(with_app(work, home=home)),
        as_json,
        header,
        lambda t: [brief(t.tool), t.risk, *(words[v.verdict] for v in t.verdicts)],
    )


def _profiles(folders: list[Path] | None) -> dict[str, Profile]:
    from remit.adapters.policy.files import load_profiles

    return load_profiles(folders or settings_for().policies)


def _case_files(paths: list[Path]) -> list[Path]:
    """The files of cases. A folder without one is no proof of anything: raises InputError E130."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(
                p for s in ("*.toml", "*.json") for p in path.rglob(s) if p.name != "profile.toml"
            )
            if not inside:
                raise InputError(
                    f"folder `{path}` holds no cases",
                    code="E130",
                    help="name a file of cases or a folder with one, e.g. `remit policy test policies/cases.toml`",
                )
            found += inside
        else:
            found.append(path)
    return found


def _as_dict(result: CaseResult) -> dict[str, object]:
    verdict = result.decision.verdict if result.decision else ""
    return {"case": result.case.title, "passed": result.passed, "verdict": verdict, "problem": result.problem}
