"""What `remit deploy` shows: plans, costs, progress, and how a deployment is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remit.cli.console import is_interactive, paint, say, show, table
from remit.cli.text import clean, moment, plural

if TYPE_CHECKING:
    from remit_deploy.costs.estimate import Estimate
    from remit_deploy.deployment import Deployment, Planned
    from remit_deploy.destroying import Destroyed, Doomed
    from remit_deploy.logs import LogLine
    from remit_deploy.planning import Change, Plan
    from remit_deploy.stacks import StackEvent
    from remit_deploy.status import Status

SIGNS = {"add": ("+", "good"), "change": ("~", "warn"), "replace": ("±", "bad"), "remove": ("-", "bad")}
WORDS = {"add": "to add", "change": "to change", "replace": "to replace", "remove": "to remove"}
MOST = 12
"""Resources of one kind that are shown one by one when all of them are new."""


def home(given: str) -> Path:
    """Where the project keeps what is built."""
    from remit.settings import load

    return load(home=given).home


@contextmanager
def working(what: str) -> Iterator[None]:
    """Say what is going on while it takes a while."""
    if not is_interactive():
        say(paint(f"{what} ...", "dim"))
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


@contextmanager
def progress(total: int) -> Iterator[Callable[[StackEvent], None]]:
    """A bar on a terminal, a line per finished resource elsewhere; what failed is always told in place."""
    if not is_interactive():
        yield _told
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    done: set[str] = set()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)

        def seen(event: StackEvent) -> None:
            if event.failed:
                bar.console.print(clean(_failed(event)), style="red", highlight=False)
            elif event.status.endswith("_COMPLETE"):
                done.add(event.resource)
            bar.update(task, completed=min(len(done), total), description=event.resource)

        yield seen


def _told(event: StackEvent) -> None:
    if event.failed:
        say(paint(clean(_failed(event)), "bad"))
    elif event.status.endswith("_COMPLETE"):
        say(
            f"  {event.status.lower().replace('_', ' '):18} {event.type.removeprefix('AWS::')}  {event.resource}"
        )


def _failed(event: StackEvent) -> str:
    return f"  {event.status} {event.type} {event.resource}: {event.reason}"


# a plan


def plan(deployment: Deployment, planned: Planned) -> None:
    """All of a plan: what changes, who may newly do what, and what a month costs."""
    prepared = planned.prepared
    say(f"{paint(deployment.name, 'bold')} in {deployment.place}: release {prepared.release.id}")
    if planned.running:
        same = planned.running == prepared.release.id
        say(f"  deployed now: release {planned.running}{' (the same code and definitions)' if same else ''}")
    if not prepared.compiled:
        python = prepared.config.python
        say(
            paint(
                f"  functions start slower than they could: there is no Python {python} here to compile with",
                "warn",
            )
        )
    _changes(planned.plan)
    _console(planned)
    _permissions(planned.plan)
    costs(planned.estimate)


def _changes(found: Plan) -> None:
    counted = [f"{found.count(kind)} {word}" for kind, word in WORDS.items() if found.count(kind)]  # type: ignore[arg-type]
    show(paint(f"\n{', '.join(counted) or 'no resource changes'}", "bold"))
    for group, members in groupby(found.changes, key=lambda change: change.group):
        changes = list(members)
        new = [change for change in changes if change.kind == "add"]
        show(f"\n{group}")
        for change in new if len(new) <= MOST else []:
            _change(change)
        if len(new) > MOST:
            show(f"  {paint('+', 'good')} {len(new)} new")
        for change in changes:
            if change.kind != "add":
                _change(change)
    if found.losses:
        show(paint(f"\nDATA IS LOST in {plural(len(found.losses), 'place')}:", "bad"))
        for change in found.losses:
            show(paint(f"  {change.name}: {change.loses}", "bad"))


def _console(planned: Planned) -> None:
    """What becomes of the console's files."""
    if (found := planned.console) is None:
        return
    counts = ((len(found.send), "to upload"), (len(found.remove), "to remove"))
    said = ", ".join(f"{count} {word}" for count, word in counts if count)
    show(f"\nconsole: {plural(found.files, 'file')}{f', {said}' if said else ', all there already'}")


def _change(change: Change) -> None:
    sign, style = SIGNS[change.kind]
    named = f"  {change.name}" if change.name != change.path else ""
    show(f"  {paint(sign, style)} {change.path}{paint(named, 'dim')}")
    if change.kind == "replace":
        show(paint("      is made anew, and the old one goes", "bad"))
    for text in change.what:
        show(f"      {clean(text)}")
    if change.loses:
        show(paint(f"      LOSES {change.loses}", "bad"))


def _permissions(found: Plan) -> None:
    for title, said, style in (
        ("new permissions", found.allowed, "warn"),
        ("permissions taken away", found.revoked, "dim"),
    ):
        if not said:
            continue
        show(paint(f"\n{title}", "bold"))
        for who, sentences in groupby(said, key=lambda sentence: sentence.who):
            show(f"  {paint(who, 'name')}")
            for sentence in sentences:
                show(f"    {paint(clean(sentence.text), style)}")


def costs(found: Estimate) -> None:
    """The estimate, and what it assumes."""
    show(paint("\nper month, about", "bold"))
    for kind, title in (("fixed", "idle"), ("usage", "for requests"), ("model", "for models")):
        lines = [line for line in found.lines if line.kind == kind]
        if not lines:
            continue
        show(f"  {title:44} {_usd(found.total(kind)):>10}")
        for line in sorted(lines, key=lambda line: -line.usd):
            detail = f" ({line.detail})" if line.detail else ""
            show(paint(f"    {line.what + detail:42} {_usd(line.usd):>10}", "dim"))
    show(f"  {'in all':44} {_usd(found.total()):>10}")
    show(paint(f"  assumed (`[deploy.usage]`): {'; '.join(found.assumptions)}", "dim"))
    show(paint(f"  prices as of {found.prices_of}; an estimate, not an invoice", "dim"))
    for model in found.unknown:
        show(paint(f"  no price is known for model {model}: its tokens are not counted", "warn"))


def _usd(amount: float) -> str:
    return f"${amount:,.2f}" if amount >= 0.005 else "<$0.01"


def plan_document(deployment: Deployment, planned: Planned) -> dict[str, Any]:
    """A plan as data."""
    found = planned.plan
    return {
        "deployment": deployment.name,
        "place": str(deployment.place),
        "release": planned.prepared.release.id,
        "running": planned.running,
        "changes": found.changes,
        "console": planned.console,
        "loses_data": bool(found.losses),
        "new_permissions": found.allowed,
        "revoked_permissions": found.revoked,
        "monthly_usd": {
            "idle": round(planned.estimate.total("fixed"), 2),
            "requests": round(planned.estimate.total("usage"), 2),
            "models": round(planned.estimate.total("model"), 2),
            "lines": planned.estimate.lines,
            "assumptions": planned.estimate.assumptions,
        },
    }


# afterwards


def applied(deployment: Deployment, outputs: Mapping[str, str], chat_agent: str) -> None:
    """Where things are, and the first question to ask."""
    say(paint(f"{deployment.name} is deployed", "good"))
    pairs(outputs)
    target = " --target emulator" if deployment.place.is_emulator else ""
    env = f" --env {deployment.config.environment}{target}"
    if url := outputs.get("ApiUrl", ""):
        show(f"\n{paint('ask it something', 'bold')}")
        body = '{"user_id": "me", "query": "What can you do?"}'
        show(
            f"  curl -H \"x-api-key: $(remit deploy outputs ApiKey{env})\" {url.rstrip('/')}/chat -d '{body}'"
        )
        if not chat_agent:
            show(paint("  (name an agent first: `chat_agent` in `[deploy]`)", "warn"))
    show(f"\n{paint('work on it with every other command, and make the first key for its API', 'bold')}")
    show(f'  eval "$(remit deploy outputs --shell{env})"')
    show("  remit keys create --actor me --role admin")


def pairs(found: Mapping[str, str]) -> None:
    """Names and values."""
    for name, value in sorted(found.items()):
        show(f"  {name.ljust(max(map(len, found)))}  {clean(value)}")


def status(found: Status) -> None:
    """How a deployment is."""
    style = "good" if found.healthy else "bad"
    show(f"{paint(found.deployment, 'bold')}  {paint(found.stack, style)}  {found.changed}")
    show(
        f"  release {found.release or 'unknown'}, revision {found.revision}, {plural(found.functions, 'function')}"
    )
    if found.queues:
        show("")
        rows = [
            [q.name, paint(str(q.waiting), "bad" if q.is_dead and q.waiting else ""), str(q.in_hand)]
            for q in found.queues
        ]
        table(["QUEUE", "WAITING", "IN HAND"], rows)
    show("")
    for alarm in found.alarms:
        show(paint(f"  ALARM {alarm.name}: {clean(alarm.reason)}", "bad"))
    for text in found.drifted or ():
        show(paint(f"  CHANGED BY HAND: {text}", "bad"))
    for text in found.uncompared:
        show(paint(f"  NOT COMPARED: {clean(text)}", "bad"))
    if found.dead:
        show(
            paint(
                f"  {plural(found.dead, 'message')} could not be handled: docs/explanation/alarms.md", "bad"
            )
        )
    if found.healthy:
        show(paint("  no alarm, no dead letter", "good"))


def log_line(line: LogLine) -> str:
    """One line of the log of a function."""
    level = str(line.data.get("level", "")).lower()
    said = line.data.get("message") or line.data.get("event") or line.text
    style = {"error": "bad", "critical": "bad", "warning": "warn"}.get(level, "")
    return f"{paint(moment(line.ts), 'dim')} {paint(line.function, 'name')}  {paint(clean(str(said)), style)}"


def doomed(deployment: Deployment, found: Doomed, *, delete_data: bool) -> None:
    """What destroying does."""
    say(f"{paint(deployment.name, 'bold')} in {deployment.place}: {plural(found.resources, 'resource')} go")
    for group, names in sorted(found.lost.items()):
        say(
            paint(f"  lost with all that is in them: {len(names)} {group}: {', '.join(sorted(names))}", "bad")
        )
    for group, names in sorted(found.kept.items()):
        say(f"  kept: {len(names)} {group}: {', '.join(sorted(names))}")
    for name in found.filled:
        word = (
            "emptied and deleted, as far as no lock keeps it"
            if delete_data
            else "not empty, and therefore kept"
        )
        say(f"  bucket {name}: {word}")


def destroyed(name: str, found: Destroyed) -> None:
    """What became of it."""
    say(paint(f"{name} is gone", "good"))
    for what, why in found.kept.items():
        say(f"  kept: {what}: {clean(why)}")
    for what in found.left:
        say(paint(f"  still there: {what}", "warn"))
    if not found.kept and not found.left:
        say("  nothing is left of it")
