"""The live view of a run and its children on stderr: a growing account, and under it one line of what is going on.

On a terminal the last line moves and shows tokens as they stream; anywhere else only plain lines are written.
"""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Any, Protocol

from remit.cli.console import paint, say, terminal
from remit.cli.narrate import Line, Narrator
from remit.cli.text import brief, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live as RichLive

    from remit.bootstrap import App
    from remit.core.view import EventView

RICH = {"good": "green", "bad": "red", "warn": "yellow", "name": "cyan", "dim": "dim", "bold": "bold", "": ""}


class Screen(Protocol):
    """Where lines go."""

    def line(self, line: Line) -> None:
        """Write a line that stays."""

    def footer(self, text: str) -> None:
        """Show what is going on now."""

    def close(self) -> None:
        """Leave only the lines."""


class PlainScreen:
    """Lines only."""

    def line(self, line: Line) -> None:
        """Write the line."""
        say("".join(paint(printable(text), style) for style, text in line))

    def footer(self, text: str) -> None:
        """Nothing moves here."""

    def close(self) -> None:
        """Nothing to leave."""


class MovingScreen:
    """Lines above one moving line."""

    def __init__(self, console: Console) -> None:
        from rich.spinner import Spinner

        self._console = console
        self._spinner = Spinner("dots", style="cyan")
        self._live: RichLive | None = None

    def line(self, line: Line) -> None:
        """Write the line above the moving one."""
        from rich.text import Text

        text = Text.assemble(*((printable(text), RICH[style]) for style, text in line))
        self._console.print(text, overflow="ellipsis", no_wrap=True, crop=True)

    def footer(self, text: str) -> None:
        """Change the moving line, and start it if it is not there."""
        from rich.live import Live
        from rich.text import Text

        self._spinner.update(text=Text(text, style="dim", overflow="ellipsis", no_wrap=True))
        if self._live is None:
            self._live = Live(self._spinner, console=self._console, transient=True, refresh_per_second=12)
            self._live.start()

    def close(self) -> None:
        """Take the moving line away."""
        if self._live is not None:
            self._live.stop()
            self._live = None


def screen(*, quiet: bool = False) -> Screen:
    """The screen that suits stderr."""
    import sys

    if quiet:
        return Silent()
    if not sys.stderr.isatty():
        return PlainScreen()
    console = terminal()
    return MovingScreen(console) if console.is_terminal and not console.is_dumb_terminal else PlainScreen()


class Silent:
    """Writes nothing."""

    def line(self, line: Line) -> None:
        """Nothing."""

    def footer(self, text: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Watch:
    """Follows a run and every child it starts, and tells them on a screen."""

    def __init__(self, app: App, run_id: str, tenant_id: str, on: Screen) -> None:
        self.narrator = Narrator(shutil.get_terminal_size((120, 24)).columns)
        self._app = app
        self._tenant = tenant_id
        self._screen = on
        self._seen = {run_id: -1}
        self._tasks: list[asyncio.Task[None]] = []
        self._streamed = ""

    @property
    def runs(self) -> tuple[str, ...]:
        """The run and its children, as far as they are known."""
        return tuple(self._seen)

    def start(self) -> None:
        """Follow from where the last `stop` left off."""
        for run_id in self.runs:
            self._follow(run_id)
        self._footer()

    async def stop(self) -> None:
        """Stop following, after everything that is stored has been told."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.catch_up()
        self._screen.close()

    async def catch_up(self) -> None:
        """Tell everything that is stored, also of children that were not known yet."""
        known = 0
        while known != len(self.runs):
            known = len(self.runs)
            for run_id in self.runs:
                await self._drain(run_id)

    def _follow(self, run_id: str) -> None:
        self._tasks.append(asyncio.create_task(self._events(run_id)))
        self._tasks.append(asyncio.create_task(self._deltas(run_id)))

    async def _events(self, run_id: str) -> None:
        async for event in self._app.runs.follow(run_id, self._tenant, after=self._seen[run_id]):
            await self._tell(run_id, event, follow=True)

    async def _deltas(self, run_id: str) -> None:
        async for delta in self._app.runs.deltas(run_id):
            if delta.kind != "tool_use":
                self._streamed = (self._streamed + delta.text)[-400:]
                self._footer()

    async def _drain(self, run_id: str) -> None:
        while events := await self._app.runs.events(run_id, self._tenant, after=self._seen[run_id]):
            for event in events:
                await self._tell(run_id, event, follow=False)

    async def _tell(self, run_id: str, event: EventView, *, follow: bool) -> None:
        if event.type == "ChildEnded" and event.data["child_run"] in self._seen:
            await self._drain(event.data["child_run"])  # a child's story comes before its end
        if event.seq <= self._seen[run_id]:
            return
        self._seen[run_id] = event.seq
        for line in self.narrator.tell(run_id, event):
            self._screen.line(line)
        if event.type == "ModelAnswered":
            self._streamed = ""
        if event.type == "ChildStarted" and event.data["child_run"] not in self._seen:
            self._seen[event.data["child_run"]] = -1
            if follow:
                self._follow(event.data["child_run"])
        if follow:
            self._footer()

    def _footer(self) -> None:
        said: Any = f" · “{brief(self._streamed[-60:], 60)}”" if self._streamed else ""
        self._screen.footer(f"{self.narrator.totals.text()}{said}")
