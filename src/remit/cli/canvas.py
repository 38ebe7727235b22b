"""The picture of a workflow's run on a terminal: printed once, or redrawn while the run goes on."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

from remit.cli.console import show, terminal
from remit.cli.narrate import Line
from remit.cli.text import seen

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

    from remit.bootstrap import App
    from remit.cli.live import Screen
    from remit.engine.workflows.picturing import Picture

LOOK_S = 0.2
"""Seconds between two looks at whether a run went on."""

WIDEST = 110
_ACTIVE = ("▶ ", "◔ ")


def drawn(picture: Picture, *, columns: int = 0) -> str:
    """The picture as text with colours, which `show` strips where they do not belong."""
    from remit.core.states.picture import to_text

    width = min(columns or shutil.get_terminal_size((100, 24)).columns, WIDEST)
    return to_text(picture.graph, picture.statuses, columns=width, colour=True).rstrip()


def print_picture(picture: Picture) -> None:
    """The picture on stdout."""
    show(drawn(picture))


def canvas(app: App, run_id: str, tenant_id: str) -> Screen:
    """The screen that suits stderr: the picture redrawn on a terminal, plain lines anywhere else."""
    import sys

    from remit.cli.live import screen

    if not sys.stderr.isatty():
        return screen()
    console = terminal()
    if not console.is_terminal or console.is_dumb_terminal:
        return screen()
    return Canvas(app, run_id, tenant_id, console)


class Canvas:
    """A `Screen` on which a run is a picture and not lines. It is gone when it is closed."""

    def __init__(self, app: App, run_id: str, tenant_id: str, console: Console) -> None:
        self._app = app
        self._run = run_id
        self._tenant = tenant_id
        self._console = console
        self._live: Live | None = None
        self._task: asyncio.Task[None] | None = None

    def line(self, line: Line) -> None:
        """Nothing: the picture says it."""

    def footer(self, text: str) -> None:
        """Begin to draw, if nobody does."""
        if self._task is None:
            self._task = asyncio.create_task(self._draw())

    def close(self) -> None:
        """Take the picture away."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self._live is not None:
            self._live.stop()
            self._live = None

    async def _draw(self) -> None:
        from rich.live import Live
        from rich.text import Text

        self._live = Live(console=self._console, transient=True, auto_refresh=False, vertical_overflow="crop")
        self._live.start()
        last, loop = -1, asyncio.get_running_loop()
        while True:
            began = loop.time()
            head = await self._app.store.head(self._run)
            if head is not None and head.seq != last:
                last = head.seq
                picture = await self._app.workflows.picture_of_run(self._tenant, self._run)
                rows = drawn(picture, columns=self._console.width - 1).splitlines()
                shown = "\n".join(in_view(rows, self._console.height - 1))
                text = Text(seen(shown)) if self._console.no_color else Text.from_ansi(shown)
                text.no_wrap = True
                self._live.update(text, refresh=True)
            # Drawing folds the whole journal: of a long run it may take a fifth of the time and no more.
            await asyncio.sleep(max(LOOK_S, 4 * (loop.time() - began)))


def in_view(rows: list[str], height: int) -> list[str]:
    """As many rows as the terminal has, around the first state that is at work."""
    if len(rows) <= height:
        return rows
    active = [i for i, row in enumerate(rows) if seen(row).lstrip("│ ").startswith(_ACTIVE)]
    first = min(max((active[0] if active else len(rows)) - height // 3, 0), len(rows) - height)
    return rows[first : first + height]
