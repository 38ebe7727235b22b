"""Definitions in files: YAML or JSON read into what `remit apply` takes, and written so that people can read them."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from typing import Any

from msgspec import Struct

from remit.core.codec import convert, decode, plain
from remit.core.errors import ConfigError, InputError, RemitError
from remit.engine.applying import AliasBody, Document

SUFFIXES = (".yaml", ".yml", ".json")
WIDTH = 110


class FileDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """What one document of a file may hold."""

    kind: str
    name: str
    spec: dict[str, Any]
    comment: str = ""
    reason: str = ""
    enabled: bool | None = None
    aliases: dict[str, AliasBody] | None = None


def read(path: Path) -> list[Document]:
    """The documents of a file, or of every YAML and JSON file below a folder. Raises InputError E518 with all mistakes."""
    found: list[Document] = []
    problems: list[str] = []
    for file in _files(path):
        try:
            for where, value in _values(file):
                _take(where, value, found, problems)
        except (RemitError, OSError, UnicodeDecodeError) as error:
            problems.append(f"{file}:1: {error.message if isinstance(error, RemitError) else error}")
    if problems:
        raise InputError("\n".join(problems), code="E518", help="correct these; nothing was applied")
    return found


def _take(where: str, value: Any, found: list[Document], problems: list[str]) -> None:
    try:
        given = convert(value, FileDocument)
    except InputError as error:
        problems.append(f"{where}: {error.message.replace('FileDocument', 'document')}")
        return
    fields = {name: getattr(given, name) for name in given.__struct_fields__}
    found.append(Document(**fields, where=where))


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.exists():
        raise missing(path)
    found = sorted(
        p
        for p in path.rglob("*")
        if p.suffix in SUFFIXES
        and p.is_file()
        and not any(x.startswith(".") for x in p.relative_to(path).parts)
    )
    if not found:
        raise ConfigError(
            f"`{path}` holds no YAML or JSON file", code="E519", help="name a file, or a folder with some"
        )
    return found


def missing(path: Path) -> InputError:
    """There is nothing of this name."""
    return InputError(f"there is no file or folder `{path}`", code="E1111", help="check its path")


def _values(file: Path) -> Iterator[tuple[str, Any]]:
    """Each document of a file, with where it begins."""
    text = file.read_text("utf-8")
    if file.suffix == ".json":
        made = decode(text, object)
        for value in made if isinstance(made, list) else [made]:
            yield f"{file}:1", value
        return
    yield from ((f"{file}:{line}", value) for line, value in _yaml(text))


def _yaml(text: str) -> Iterator[tuple[int, Any]]:
    import yaml

    from remit.workflow.reading import yaml_loader

    loader = yaml_loader()(text)
    try:
        while loader.check_node():
            node: Any = loader.get_node()
            value = loader.construct_document(node)
            if value is not None:
                yield node.start_mark.line + 1, value
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f" (line {mark.line + 1})" if mark else ""
        raise InputError(f"not YAML: {getattr(error, 'problem', error)}{at}", code="E518") from error
    finally:
        loader.dispose()


def text_of(value: Any) -> str:
    """A value as YAML: keys in their order, text of several lines as a block."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """YAML for people."""

        def ignore_aliases(self, data: Any) -> bool:
            """Never write anchors."""
            return True

    def block(dumper: Any, text: str) -> Any:
        style = "|" if "\n" in text else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, block)
    made: str = yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)
    return made


def document_text(document: Document) -> str:
    """A document as the YAML that `remit apply` reads."""
    more = {k: v for k, v in (("comment", document.comment), ("reason", document.reason)) if v}
    switch = {} if document.enabled is None else {"enabled": document.enabled}
    aliases = {} if document.aliases is None else {"aliases": plain(document.aliases)}
    own = {"kind": document.kind, "name": document.name, **more, **switch, "spec": document.spec}
    return text_of({**own, **aliases})


def diff_text(old: Any, new: Any, old_name: str, new_name: str) -> list[str]:
    """The lines of a unified diff between two bodies as YAML; a side that is None is an empty file."""
    sides = ["" if side is None else text_of(side) for side in (old, new)]
    lines = unified_diff(sides[0].splitlines(), sides[1].splitlines(), old_name, new_name, lineterm="", n=3)
    return list(lines)
