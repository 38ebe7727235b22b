"""`remit validate`: check tables by their rules, or compare two without any set-up, and write down what came of it.

Exit codes: 0 passed, 1 failed, 2 usage, 3 a source cannot be read or a check could not be decided, 5 waiting for approval.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import unquote, unquote_plus

import typer

from remit.cli import options as o
from remit.cli.console import document, paint, problem, say, show, table
from remit.cli.text import brief, clean, duration, plural

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.cli.live import Screen
    from remit.cli.narrate import Line
    from remit.core.task import Result
    from remit_packs.validation.report.value import Report

PACK = "validation"
PROFILE = "validation"
EXIT = {"PASSED": 0, "FAILED": 1, "ERROR": 3}
USAGE, WAITING = 2, 5
STYLE = {"PASSED": "good", "FAILED": "bad", "ERROR": "warn"}
SHOWN = 20

app = typer.Typer(
    name="validate",
    help="Check tables by their rules, or compare two files or tables without any set-up.",
    epilog="Exit codes: 0 passed, 1 failed, 2 usage, 3 a source cannot be read or a check could not be decided, 5 waiting for approval.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Junit = Annotated[
    Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML.", show_default=False)
]
Html = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write one HTML page.", show_default=False)
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Tell every step on stderr.")]


@app.command("run")
def run(
    table_id: Annotated[
        str, typer.Argument(metavar="[TABLE]", help="A registered table.", show_default=False)
    ] = "",
    config: Annotated[
        list[str], typer.Option("--config", metavar="ID", help="A rule; may be repeated.", show_default=False)
    ] = [],  # noqa: B006 - typer copies it
    every: Annotated[bool, typer.Option("--all", help="Every active table.")] = False,
    owner: Annotated[
        str, typer.Option("--owner", metavar="NAME", help="Every table of an owner.", show_default=False)
    ] = "",
    notify: Annotated[bool, typer.Option("--notify/--no-notify", help="Tell who wants to know.")] = True,
    as_json: o.Json = False,
    junit: Junit = None,
    html: Html = None,
    verbose: Verbose = False,
    app_file: o.AppFile = "",
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Check the active rules of a table, given rules, or everything. Each run goes into the run log."""
    if not (table_id or config or every or owner):
        raise typer.BadParameter("name a table, `--config ID`, `--owner NAME` or `--all`", param_hint="TABLE")
    given = {
        "table_id": table_id,
        "configs": config,
        "every": every,
        "owner": owner,
        "triggered_by": "cli",
        "notify": notify,
    }
    title = table_id or owner or (", ".join(config) if config else "all tables")

    async def work() -> int:
        async with _opened(home, app_file) as program:
            result = await _driven(program, "validate", given, tenant, verbose)
            report = await _report(program, result, title)
            _write(report, junit, html)
            return _told(result, report, as_json)

    raise typer.Exit(_run(work()))


@app.command("diff")
def diff(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="The expected side: a file, URL or table_id.")
    ],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="The side to check.")],
    key: Annotated[
        list[str],
        typer.Option(
            "--key",
            "-k",
            metavar="COLUMN",
            help="What names a row; may be repeated. Found by itself if it can be.",
        ),
    ] = [],  # noqa: B006
    columns: Annotated[
        str, typer.Option("--columns", metavar="A,B", help="Only these columns.", show_default=False)
    ] = "",
    ignore: Annotated[
        str, typer.Option("--ignore", metavar="A,B", help="Not these columns.", show_default=False)
    ] = "",
    limit: Annotated[int, typer.Option("--limit", min=0, max=100_000, help="Show so many rows.")] = SHOWN,
    decimals: Annotated[
        int | None,
        typer.Option(
            "--decimals", min=0, max=18, help="Compare floating point so rounded.", show_default=False
        ),
    ] = None,
    as_json: o.Json = False,
    junit: Junit = None,
    html: Html = None,
    verbose: Verbose = False,
    app_file: o.AppFile = "",
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Say exactly which rows of two tables differ, in whatever engines they live. Needs no configuration.

    SOURCE and TARGET are files (Parquet, CSV, JSON), s3:// or database URLs (postgresql://user:password@host/db/table), or
    registered tables. A password is kept in memory for this command only. Put `${secret:NAME}` to have it read from
    REMIT_SECRET_NAME.
    """
    secrets: dict[str, str] = {}
    given = {
        "source": without_password(source, "cli_source", secrets),
        "target": without_password(target, "cli_target", secrets),
        "key": key,
        "columns": _names(columns),
        "ignore": _names(ignore),
        "decimals": decimals,
        "limit": max(limit, 1000),
    }

    async def work() -> int:
        async with _opened(home, app_file, secrets) as program:
            result = await _driven(program, "diff_tables", given, tenant, verbose)
            report = await _report(program, result, f"{source} and {target}", shown=limit)
            _write(report, junit, html)
            return _told(result, report, as_json, shown=limit)

    raise typer.Exit(_run(work()))


@app.command("suggest")
def suggest(
    source: Annotated[str, typer.Argument(metavar="TABLE", help="A registered table, a file or a URL.")],
    write: Annotated[
        bool, typer.Option("--write", help="Keep the proposals as drafts (registered tables only).")
    ] = False,
    schedule: Annotated[
        str, typer.Option("--schedule", metavar="WHEN", help="When the rules run.")
    ] = "daily",
    as_json: o.Json = False,
    verbose: Verbose = False,
    app_file: o.AppFile = "",
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Look at a table's data and propose rules that hold for it, as YAML for `remit apply`."""
    secrets: dict[str, str] = {}
    given = {
        "table": without_password(source, "cli_source", secrets),
        "write": write,
        "schedule": schedule,
    }

    async def work() -> int:
        async with _opened(home, app_file, secrets) as program:
            result = await _driven(program, "suggester", given, tenant, verbose)
            if result.status != "success":
                return _failed(result)
            found = result.result_payload
            document(found) if as_json else _suggested(found, source)
            return 3 if any("problem" in draft for draft in found.get("drafts", ())) else 0

    raise typer.Exit(_run(work()))


@app.command("report")
def report(
    run_id: Annotated[
        str, typer.Argument(metavar="RUN", help="A run of `validate` (run_...) or of the run log (vr_...).")
    ],
    as_json: o.Json = False,
    junit: Junit = None,
    html: Html = None,
    app_file: o.AppFile = "",
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Write the report of an earlier run again."""

    async def work() -> int:
        async with _opened(home, app_file) as program:
            if run_id.startswith("vr_"):
                logged = await _of_log(program, run_id, tenant)
                _write(logged, junit, html)
                _show(logged, as_json, SHOWN)
                return EXIT[logged.status]
            result = await program.runs.result(run_id, tenant)
            if result is None:
                result = (await program.runs.view(run_id, tenant)).result
            made = await _report(program, result, run_id)
            _write(made, junit, html)
            return _told(result, made, as_json)

    raise typer.Exit(_run(work()))


# opening and driving


@asynccontextmanager
async def _opened(home: str, app_file: str, secrets: Mapping[str, str] = {}) -> AsyncIterator[App]:
    """The program with the validation pack in it, and with secrets that live only as long as it does."""
    from msgspec.structs import replace

    from remit.bootstrap.packs import BUILT_IN
    from remit.cli.session import settings_for, started

    settings = settings_for(home=home, app=app_file)
    packs = settings.packs or (() if settings.app else BUILT_IN)
    known = any(name.split(":")[0].endswith(PACK) for name in packs)
    settings = replace(
        settings,
        packs=tuple(packs) if known else (*packs, PACK),
        secrets={**settings.secrets, **secrets},
    )
    async with started(settings) as program:
        yield program


async def _driven(program: App, agent: str, given: Any, tenant: str, verbose: bool) -> Result:
    """Submit and drive one run here, telling how far it is."""
    from remit.cli.deciding import Nobody
    from remit.cli.driving import drive
    from remit.cli.live import screen
    from remit.cli.run import new_task

    task = new_task(program, agent, "", given, tenant, profile=PROFILE)
    run_id = await program.runs.submit(task)
    on = screen() if verbose else Progress(screen())
    result, _ = await drive(program, run_id, tenant, Nobody(), on)
    return result


class Progress:
    """Says on a terminal what is being done, and leaves nothing behind."""

    def __init__(self, inner: Screen) -> None:
        self._inner = inner
        self._last = ""

    def line(self, line: Line) -> None:
        """Only the newest is shown, and only while it is the newest."""
        self._last = brief("".join(text for _, text in line), 100)
        self.footer("")

    def footer(self, text: str) -> None:
        """The newest line of the run's account."""
        self._inner.footer(self._last or text)

    def close(self) -> None:
        """Leave only what came before."""
        self._inner.close()


def _run(coroutine: Any) -> int:
    from remit.cli.session import run_async

    code: int = run_async(coroutine)
    return code


_AUTHORITY = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)([^/?#:@]*):([^/?#]+)@")
_UNQUOTED = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)([^/?#:@]*):(?!\d{1,5}(?:[/?#]|$))(.+)@")
"""A login whose password holds `/`, `?` or `#` as it is: everything up to the last `@`, unless it is a port."""

_QUERY = re.compile(
    r"(?i)([?&](?:(?:ssl)?password|passwd|pwd|(?:session_)?token|secret|access_key|secret_key|aws_secret_access_key)=)([^&#]+)"
)


def without_password(location: str, name: str, secrets: dict[str, str]) -> str:
    """The location with `${secret:NAME}` for each password in it, which goes into `secrets`: journals keep locations."""

    def taken(lead: str, password: str, tail: str, read: Callable[[str], str]) -> str:
        if password.startswith("${secret:"):
            return f"{lead}{password}{tail}"
        secret = name if name not in secrets else f"{name}_{len(secrets)}"
        secrets[secret] = read(password)
        return f"{lead}${{secret:{secret}}}{tail}"

    form = _AUTHORITY if _AUTHORITY.match(location) else _UNQUOTED
    location = form.sub(lambda m: taken(f"{m[1]}{m[2]}:", m[3], "@", unquote), location, count=1)
    return _QUERY.sub(lambda m: taken(m[1], m[2], "", unquote_plus), location)


# telling


async def _report(program: App, result: Result, title: str, *, shown: int = SHOWN) -> Report | None:
    """The report of a run that has an answer; None for one that waits, or that failed before there was any."""
    from remit_packs.validation.report.build import of_diff, of_validation

    payload = result.result_payload
    if not isinstance(payload, dict) or payload.get("status") not in EXIT:
        return None
    digests = [*payload.get("artifacts", ()), *(d for r in payload.get("runs", ()) for d in r["artifacts"])]
    about: dict[str, Any] = {
        "made_at": program.clock.now(),
        "kept": await _kept(program, digests),
        "shown": shown,
        "agent_run": result.run_id,
        "duration_ms": round(result.cost_usage.wall_s * 1000),
    }
    if "runs" in payload:
        return of_validation(payload, title=title, triggered_by="cli", **about)
    return of_diff(payload, **about) if "source" in payload else None


async def _of_log(program: App, run_id: str, tenant: str) -> Report:
    """The report of one run of the run log."""
    from remit.core.codec import plain
    from remit_packs.validation.report.build import of_run
    from remit_packs.validation.report.value import Report

    found = await program.validation_runs.get(tenant, run_id)
    kept = await _kept(program, found.artifacts)
    line = of_run(plain(found), kept, SHOWN)
    title = f"{found.config_id} of {found.table_id}"
    return Report(
        title,
        found.status,
        line.reason,
        found.timestamp,
        (line,),
        found.agent_run,
        found.triggered_by,
        found.duration_ms,
    )


async def _kept(program: App, digests: Iterable[str]) -> dict[str, bytes]:
    """Artifacts by digest; one that is gone is left out, and the report has no rows then."""
    from remit.core.errors import RemitError

    found = {}
    for digest in dict.fromkeys(digests):
        try:
            found[digest] = await program.blobs.get(digest)
        except RemitError as error:
            say(paint(f"an artifact cannot be shown: {error.message}", "warn"))
    return found


def _write(made: Report | None, junit: Path | None, html: Path | None) -> None:
    """Write the files that were asked for. Raises InputError E603."""
    if made is None:
        return
    from remit_packs.validation.report.junit import junit as as_junit
    from remit_packs.validation.report.page import page as as_page

    for path, text in ((junit, as_junit), (html, as_page)):
        if path is not None:
            _to_file(path, text(made))


def _to_file(path: Path, text: str) -> None:
    from remit.core.errors import InputError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"`{path}` cannot be written: {error.strerror}", code="E603", help="choose another place"
        ) from error
    say(paint(f"wrote {path}", "dim"))


def _told(result: Result, made: Report | None, as_json: bool, *, shown: int = SHOWN) -> int:
    """Show what came of a run, and say it by the exit code."""
    if made is None:
        return _failed(result)
    if as_json:
        document(result.result_payload)
        say(paint(f"remit runs show {result.run_id}", "dim"))
    else:
        _show(made, False, shown)
    return EXIT[made.status]


def _failed(result: Result) -> int:
    """A run without an answer: it waits for a person, or something is wrong."""
    if result.status in ("needs_approval", "needs_info"):
        say(
            f"it waits for a person: `remit approvals list` shows what; then `remit runs resume {result.run_id}`"
        )
        return WAITING
    found = result.problem
    if found is None:
        problem("E598", f"run `{result.run_id}` is no validation", "give a run of `remit validate`")
        return USAGE
    problem(found.code, found.message, found.help)
    say(paint(f"remit runs show {result.run_id}", "dim"))
    return USAGE if found.code.startswith("E1") or found.code == "E590" else EXIT["ERROR"]


def _show(made: Report, as_json: bool, shown: int) -> None:
    if as_json:
        document(made)
        return
    if len(made.lines) == 1 and made.lines[0].kind == "row_diff" and not made.lines[0].run_id:
        _compared(made, shown)
    else:
        _checked(made, shown)
    for note in made.notes:
        say(paint(clean(note), "dim"))
    took = f" · {duration(made.duration_ms)}" if made.duration_ms else ""
    say(paint(f"remit runs show {made.agent_run}{took}", "dim"))


def _checked(made: Report, shown: int) -> None:
    """A line for each rule, and the rows that differ under it."""
    rows = [
        [
            paint(line.status, STYLE[line.status]),
            line.table,
            line.name,
            f"v{line.version}" if line.version else "",
            brief(line.reason, 100),
        ]
        for line in made.lines
    ]
    table(("status", "table", "rule", "", "what was found"), rows)
    for line in made.lines:
        if line.status == "ERROR":
            said = f"{line.name}: {line.reason}"
            problem(str(line.details.get("code", "")), said, str(line.details.get("help", "")))
        if line.rows:
            show()
            show(f"{line.name}: {plural(len(line.rows), 'row')} that differ")
            _differing(line.rows[:shown])
    counts = made.counts()
    summary = f"{counts['PASSED']} passed, {counts['FAILED']} failed, {counts['ERROR']} could not be decided"
    say(f"{paint(made.status, STYLE[made.status])}  {summary}")


def _compared(made: Report, shown: int) -> None:
    """Counts, changed columns, and the first rows of a diff."""
    from remit_packs.validation.report.value import facts

    (line,) = made.lines
    if line.status == "ERROR":
        problem(str(line.details.get("code", "")), made.reason, str(line.details.get("help", "")))
        return
    show(f"{paint(made.status, STYLE[made.status])}  {clean(made.reason)}")
    for name, value in facts(line.details):
        show(f"  {paint(name.ljust(22), 'dim')} {brief(value, 120)}")
    if line.rows and shown:
        show()
        _differing(line.rows[:shown])


def _differing(rows: Iterable[Any]) -> None:
    """Each differing column of each row on a line of its own."""
    lines: list[list[str]] = []
    for row in rows:
        key = ", ".join("NULL" if v is None else v for v in row.key.values())
        side = {"missing": "only in the source", "extra": "only in the target"}.get(row.change, "")
        if side:
            lines.append([paint(row.change, "bad"), brief(key, 40), "", side, ""])
        for name, (was, now) in row.columns.items():
            lines.append([paint(row.change, "warn"), brief(key, 40), brief(name, 30), _cell(was), _cell(now)])
    if lines:
        table(("row", "key", "column", "source", "target"), lines)


def _cell(value: str | None) -> str:
    if value is None:
        return paint("NULL", "dim")
    return brief(value, 44) if value else paint("empty", "dim")


def _suggested(found: dict[str, Any], source: str) -> None:
    """The proposals as YAML that `remit apply` takes; what became of drafts on stderr."""
    import yaml

    registered = not re.search(r"[/\\.:]", source)
    if not registered:
        say(paint("register the table first: `remit tables add`, and put its id for `table_id`", "dim"))
    for rule in found["rules"]:
        spec = {
            "table_id": source if registered else "TABLE",
            "validation_type": rule["validation_type"],
            "parameters": rule["parameters"],
            "schedule": found["schedule"],
        }
        written = {
            "kind": "table_validation",
            "name": rule["config_id"],
            "comment": f"suggested: {rule['because']}",
            "spec": spec,
        }
        show("---")
        show(yaml.safe_dump(written, sort_keys=False, allow_unicode=True, width=110).rstrip())
    if found["left_out"]:
        named = ", ".join(dict.fromkeys(clean(one["config_id"]) for one in found["left_out"]))
        say(paint(f"left out, for active rules speak of the same: {brief(named, 200)}", "dim"))
    for draft in found.get("drafts", ()):
        if "problem" in draft:
            problem(draft["code"], f"{draft['config_id']}: {draft['problem']}")
        else:
            say(f"{paint('draft', 'good')} {draft['config_id']} version {draft['version']}")
    if any("version" in draft for draft in found.get("drafts", ())):
        say(paint("`remit validations promote ID VERSION` makes one the active version", "dim"))
    say(paint(f"{plural(len(found['rules']), 'rule')} for {plural(found['rows'], 'row')}", "dim"))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
