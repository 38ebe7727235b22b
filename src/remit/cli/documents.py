"""Documents in files: YAML or JSON read into what `remit apply` takes, and written so that people can read them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from remit.core.codec import convert, decode
from remit.core.errors import ConfigError, InputError, RemitError

if TYPE_CHECKING:
    from remit.engine.applying import Document

_TIME, _BOOL = "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:bool"
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
    from remit.engine.applying import Document

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

    class Loader(yaml.SafeLoader):
        """YAML whose values are JSON's: a date, `on` and `off` are text, and a key that occurs twice is a mistake."""

        yaml_implicit_resolvers = {  # noqa: RUF012 - as PyYAML wants it
            first: [(tag, pattern) for tag, pattern in pairs if tag not in (_TIME, _BOOL)]
            for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            """The mapping, unless a key occurs twice."""
            keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
            twice = next((k for k in keys if keys.count(k) > 1), None)
            if twice is not None:
                raise yaml.constructor.ConstructorError(
                    None, None, f"`{twice}` occurs twice", node.start_mark
                )
            return super().construct_mapping(node, deep=deep)

    Loader.add_implicit_resolver(_BOOL, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
    loader = Loader(text)
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
    return text_of({"kind": document.kind, "name": document.name, **more, **switch, "spec": document.spec})


def diff_text(old: Any, new: Any, old_name: str, new_name: str) -> list[str]:
    """The lines of a unified diff between two bodies as YAML; a side that is None is an empty file."""
    sides = ["" if side is None else text_of(side) for side in (old, new)]
    lines = unified_diff(sides[0].splitlines(), sides[1].splitlines(), old_name, new_name, lineterm="", n=3)
    return list(lines)
