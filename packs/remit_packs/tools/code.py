"""Running Python that an agent wrote, where it can reach nothing."""

from __future__ import annotations

import mimetypes
from typing import Annotated

from msgspec import Meta, Struct

from remit.sdk import SandboxFile, ToolContext, tool
from remit_packs.tools.facilities import using

MOST_CHARS = 20_000
"""Of what code prints, and of its value, that an answer has; the whole belongs in a file."""

Code = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100_000,
        description="Python 3. The value of the last expression is answered, and what it prints. Files in the working folder are given "
        "and kept by relative names, e.g. `open('result.csv', 'w')`. pandas, numpy and matplotlib may be there. No network.",
    ),
]
Files = Annotated[
    list[str],
    Meta(
        max_length=20,
        description="Artifacts of this run, by name or digest, that the code finds under their names.",
    ),
]


class KeptFile(Struct, frozen=True):
    """A file that the code left: an artifact of the run from now on."""

    name: str
    digest: str
    media_type: str
    size: int


class Ran(Struct, frozen=True):
    """How code ended (`ok`, `error`, `timeout`, `memory`, `stopped`), what it printed, its value, and the files it left.

    With `truncated` there was more than is answered or kept.
    """

    ending: str
    value: str
    stdout: str
    stderr: str
    files: list[KeptFile]
    truncated: bool
    sandbox: str


@tool(risk="L0", effect="read", sensitivity="public", timeout_s=120.0, max_output_bytes=262_144)
async def run_python(context: ToolContext, code: Code, files: Files = []) -> Ran:  # noqa: B006  (never changed)
    """Run Python in a sandbox: calculate, transform data, draw with matplotlib. Each call starts afresh; keep what you need in files."""
    with using(context) as facilities:
        given = [await facilities.artifacts.read(reference) for reference in dict.fromkeys(files)]
        for content in given:
            context.mark(
                content.label.source, trust=content.label.trust, sensitivity=content.label.sensitivity
            )
        outcome = await facilities.sandbox.run(
            code, files=[SandboxFile(content.artifact.name, content.data) for content in given]
        )
        sandbox = facilities.sandbox.name
    mark_all_read(context, "code")
    kept = [_kept(context, file) for file in outcome.files]
    texts = (outcome.value, outcome.stdout, outcome.stderr)
    value, stdout, stderr = (text[:MOST_CHARS] for text in texts)
    truncated = outcome.truncated or any(len(text) > MOST_CHARS for text in texts)
    return Ran(outcome.ending, value, stdout, stderr, kept, truncated, sandbox)


def mark_all_read(context: ToolContext, source: str) -> None:
    """Label an answer as whatever the run has read: who wrote the arguments had read it all, and may have put any of it there."""
    read = context.labels
    context.mark(source, trust="untrusted" if read.untrusted else "trusted", sensitivity=read.sensitivity)


def _kept(context: ToolContext, file: SandboxFile) -> KeptFile:
    media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    digest = context.keep(file.name, file.data, media_type)
    return KeptFile(file.name, digest, media_type, len(file.data))
