"""`remit documents`: what agents may search and cite."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from remit.cli import options as o
from remit.cli.answers import gone, listed, told
from remit.cli.console import document, paint, say, show
from remit.cli.session import with_app
from remit.cli.text import brief, moment, printable
from remit.core.errors import ConfigError, InputError

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.ports.documents import Document, DocumentPage, Passage

app = typer.Typer(no_args_is_help=True, help="Documents that agents search and cite.", rich_markup_mode=None)

DocumentId = Annotated[str, typer.Argument(metavar="DOCUMENT", help="A document's id.")]
Tags = Annotated[
    list[str], typer.Option("--tag", metavar="TAG", help="A tag; may be repeated.", show_default=False)
]


@app.command("add")
def add(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE|DIR", help="Files, or folders of them.")],
    document_id: Annotated[
        str, typer.Option("--id", metavar="ID", help="The id of a single file.", show_default=False)
    ] = "",
    title: Annotated[str, typer.Option("--title", help="Its title.", show_default=False)] = "",
    tag: Tags = [],  # noqa: B006  (typer copies it)
    trusted: Annotated[
        bool, typer.Option("--trusted", help="Its words are ours: they may steer what agents do.")
    ] = False,
    sensitivity: Annotated[
        Literal["public", "internal", "private", "secret"],
        typer.Option("--sensitivity", help="How sensitive it is."),
    ] = "internal",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Take in files: text, Markdown, HTML, JSON, PDF. Added again, a file replaces what it was."""
    files = [file for path in paths for file in _files(path)]
    if len(files) != 1 and (document_id or title):
        raise InputError(
            f"`--id` and `--title` are of one file, and there are {len(files)}", help="leave them out"
        )
    trust: Literal["trusted", "untrusted"] = "trusted" if trusted else "untrusted"

    async def work(program: App) -> list[Document]:
        added = []
        for file, name in files:
            added.append(
                await program.documents.add(
                    tenant,
                    file.read_bytes(),
                    document_id=document_id or id_of(name),
                    title=title,
                    source=name,
                    trust=trust,
                    sensitivity=sensitivity,
                    tags=tag,
                )
            )
            if not as_json:
                say(f"{printable(name)}: {added[-1].document_id}, {added[-1].passages} passages")
        return added

    found = with_app(work, home=home)
    if as_json:
        document({"items": found})


@app.command("list")
def list_(
    limit: o.Limit = 50,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List the documents, by id."""

    async def work(program: App) -> DocumentPage:
        return await program.documents.page(tenant, limit=limit, cursor=cursor or None)

    page = with_app(work, home=home)
    listed(
        page,
        as_json,
        ["document", "title", "passages", "trust", "sensitivity", "tags", "added"],
        lambda d: [
            d.document_id,
            printable(brief(d.title, 40)),
            str(d.passages),
            d.trust,
            d.sensitivity,
            ", ".join(d.tags) or "-",
            moment(d.added_ts),
        ],
    )


@app.command("search")
def search(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="A question, or a few words.")],
    limit: Annotated[int, typer.Option("--limit", min=1, max=50, help="At most so many passages.")] = 5,
    tag: Tags = [],  # noqa: B006
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Find passages by words and by meaning, as agents do."""

    async def work(program: App) -> list[Passage]:
        from remit.engine.passages import TenantDocuments

        return await TenantDocuments(program.documents, tenant).search(query, limit=limit, tags=tag)

    found = with_app(work, home=home)
    if as_json:
        document({"items": found})
        return
    for passage in found:
        show(f"{paint(passage.citation, 'bold')}  {printable(passage.title)}")
        show(f"  {printable(brief(' '.join(passage.text.split()), 300))}")
    if not found:
        say("nothing found")


@app.command("show")
def show_(
    name: Annotated[str, typer.Argument(metavar="DOCUMENT|CITATION", help="An id, or what a search cited.")],
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Show a document's text, or the very characters that a citation names."""
    from remit.core.citation import parse

    cited = parse(name) if name.startswith("doc:") else None

    async def work(program: App) -> Passage:
        from remit.engine.passages import TenantDocuments

        documents = TenantDocuments(program.documents, tenant)
        if cited:
            return await documents.passage(cited.document_id, cited.start, cited.end)
        return await documents.passage(name)

    found = with_app(work, home=home)
    if as_json:
        document(found)
        return
    show(found.text)


@app.command("delete")
def delete(
    document_id: DocumentId, as_json: o.Json = False, tenant: o.Tenant = o.TENANT, home: o.Home = ""
) -> None:
    """Delete a document: its bytes, its text and its passages."""

    async def work(program: App) -> None:
        await program.documents.delete(tenant, document_id)

    with_app(work, home=home)
    gone("document", document_id, as_json, f"document {document_id} is deleted")


@app.command("reindex")
def reindex(as_json: o.Json = False, tenant: o.Tenant = o.TENANT, home: o.Home = "") -> None:
    """Index every passage anew, by the model that `documents.embeddings` names now."""

    async def work(program: App) -> int:
        return await program.documents.reindex(
            tenant, lambda done: say(f"{done} documents") if done % 100 == 0 else None
        )

    count = with_app(work, home=home)
    told({"documents": count}, as_json, f"{count} documents are indexed")


def id_of(name: str) -> str:
    """The id of a file by its name within the folder that was given: readable, and always the same."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:100] or "file"
    return readable if readable == name else f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _files(path: Path) -> Iterator[tuple[Path, str]]:
    """A file, or every file of a folder whose kind is read, with its name in there."""
    from remit.adapters.extraction.files import SUFFIXES

    if path.is_file():
        yield path, path.name
        return
    if not path.exists():
        from remit.cli.definition_files import missing

        raise missing(path)
    found = [
        (file, str(file.relative_to(path)))
        for file in sorted(path.rglob("*"))
        if file.suffix.lower() in SUFFIXES
        and file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    ]
    if not found:
        raise ConfigError(
            f"`{path}` holds no file that is read", help=f"the kinds are {', '.join(sorted(SUFFIXES))}"
        )
    yield from found
