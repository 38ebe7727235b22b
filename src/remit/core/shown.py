"""An artifact as a notebook shows it, by the methods that IPython looks for."""

from __future__ import annotations

from html import escape

from msgspec import Struct

HEIGHT_PX = 480


class Shown(Struct, frozen=True):
    """What a run made: `data` of `media_type` under a name. The last value of a cell, it is seen: pictures, pages and texts."""

    name: str
    media_type: str
    data: bytes

    def __repr__(self) -> str:
        return f"{self.name} ({self.media_type}, {len(self.data)} bytes)"

    def _repr_png_(self) -> bytes | None:
        return self.data if self.media_type == "image/png" else None

    def _repr_html_(self) -> str | None:
        """A page runs its scripts in a frame of its own, from where it reaches nothing of the notebook."""
        kind = self.media_type.partition(";")[0]
        text = self.data.decode("utf-8", "replace")
        if kind == "text/html":
            style = f"width: 100%; height: {HEIGHT_PX}px; border: 0"
            return f'<iframe sandbox="allow-scripts" style="{style}" srcdoc="{escape(text)}"></iframe>'
        return (
            f"<pre>{escape(text)}</pre>" if kind.startswith("text/") or kind == "application/json" else None
        )
