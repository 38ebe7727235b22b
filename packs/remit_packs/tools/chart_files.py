"""A Vega-Lite specification as a picture and as a page, by `vl-convert`, which has Vega inside and asks nobody for anything.

The page holds all it needs. Its content security policy names its two scripts by their hashes and allows nothing else: no other script,
no request to anywhere, no `eval` (Vega's expressions are interpreted). So whatever the data says, it is only ever drawn.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import hashlib
import html as markup
import importlib.util
import json
from typing import Any

from remit.sdk import ConfigError, ToolError, how_to_install


async def png(spec: dict[str, Any]) -> bytes:
    """The picture, twice as fine as a screen. Raises ToolError E987."""
    return await asyncio.to_thread(_png, spec)


async def html(spec: dict[str, Any], title: str) -> str:
    """The page. Raises ToolError E987."""
    library = await asyncio.to_thread(_library)
    start = f"vegaEmbed('#chart', {_script_json(spec)}, {_EMBEDDING});"
    policy = (
        f"default-src 'none'; script-src {_hash(library)} {_hash(start)}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    return _PAGE.format(policy=policy, title=markup.escape(title), library=library, start=start)


def _png(spec: dict[str, Any]) -> bytes:
    try:
        picture: bytes = _converter().vegalite_to_png(spec, scale=2, allowed_base_urls=[])
    except ValueError as error:
        raise ToolError(
            "the chart cannot be drawn", code="E987", help="draw fewer rows or another kind"
        ) from error
    return picture


@functools.cache
def _library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that can stand in a page. It takes seconds to put together, once."""
    script: str = _converter().javascript_bundle()
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _converter() -> Any:
    """The converter. Raises ConfigError E695 without the extra."""
    if importlib.util.find_spec("vl_convert") is None:
        raise ConfigError("charts need `vl-convert-python`", code="E695", help=how_to_install("charts"))
    import vl_convert

    return vl_convert


def _script_json(value: Any) -> str:
    """JSON that can stand in a script of a page, whatever texts are in it."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


_EMBEDDING = (
    "{mode: 'vega-lite', ast: true, renderer: 'svg', "
    "actions: {export: true, source: false, compiled: false, editor: false}, "
    "loader: {load: () => Promise.reject(new Error('no requests'))}}"
)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>body {{ margin: 1rem; font-family: system-ui, sans-serif; background: white; }} #chart {{ max-width: 100%; overflow: auto; }}</style>
</head>
<body>
<div id="chart" role="img"></div>
<script>{library}</script>
<script>{start}</script>
</body>
</html>
"""
