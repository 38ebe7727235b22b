"""Check every state machine in folders of public documents: how many validate, and why the others do not.

A folder may hold documents (.asl.json, .asl.yaml), SAM and CloudFormation templates with definitions in them, or anything
else: every JSON and YAML file is looked through for objects with `StartAt` and `States`. Placeholders (`${Name}`) are
replaced by names. The documents themselves are other people's and are never kept here.

Usage: python scripts/public_workflows.py FOLDER... [--verbose] [--markdown]
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from remit.core.errors import InputError
from remit.core.states.check import problems
from remit.core.states.report import Problem
from remit.core.states.text import read_json
from remit.workflow.reading import read_yaml, yaml_loader

SUFFIXES = (".json", ".json5", ".yaml", ".yml", ".template")
SKIPPED = ("node_modules", "cdk.out", ".git")
_HOLE = re.compile(r"(?i)\$\{[^}]*\}|<[A-Za-z_]+>|_{1,2}tb[cd]_{1,2}|%[A-Z_]+%|#\{[^}]*\}")
_PARTITION = re.compile(r"\barn:(?:\$\{[^}]*\}|<partition>):")
_KNOWN = {
    "${AWS::Partition}": "aws",
    "${AWS::Region}": "us-east-1",
    "${AWS::AccountId}": "123456789012",
    "${AWS::URLSuffix}": "amazonaws.com",
}
_SOME_FUNCTION = re.compile(r"foo:bar|arn:[^:]+:lambda:[^:]*:[^:]*:function:[^:]+(?::[^:]*)?")
_FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:Placeholder"
_TAGS = (
    "Ref",
    "GetAtt",
    "Sub",
    "Join",
    "Select",
    "ImportValue",
    "FindInMap",
    "If",
    "Split",
    "Base64",
    "GetAZs",
)
_COMMENT = re.compile(r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/', re.DOTALL)


class Machine(NamedTuple):
    """A state machine that was found, and what is wrong with it; `unread` when its text is no JSON or YAML."""

    repository: str
    where: str
    text: str
    found: list[Problem]
    unread: str = ""


class TemplateLoader(yaml_loader()):  # type: ignore[misc]
    """YAML with the short forms of CloudFormation's functions."""


def _function(loader: Any, suffix: str, node: Any) -> Any:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


TemplateLoader.add_multi_constructor("!", _function)


def filled(value: Any, key: str = "") -> Any:
    """A value whose placeholders and functions of CloudFormation are replaced by what could stand there."""
    if isinstance(value, list):
        return [filled(item) for item in value]
    if isinstance(value, dict):
        if len(value) == 1 and (name := next(iter(value))) in ("Ref", *(f"Fn::{tag}" for tag in _TAGS)):
            return _called(name, value[name], key)
        return {k: filled(v, k) for k, v in value.items()}
    return _text(value, key) if isinstance(value, str) else value


def _called(name: str, given: Any, key: str) -> Any:
    if name == "Ref" and f"${{{given}}}" in _KNOWN:
        return _KNOWN[f"${{{given}}}"]
    if name == "Fn::Sub":
        return filled(given[0] if isinstance(given, list) else given, key)
    if name == "Fn::Join" and isinstance(given, list) and len(given) == 2 and isinstance(given[1], list):
        return filled(str(given[0]).join(str(filled(part)) for part in given[1]), key)
    return _FUNCTION if key == "Resource" else "Placeholder"


def _text(value: str, key: str) -> Any:
    if '"StartAt"' in value:
        return value  # a definition as text: it is filled once it has been read
    if key == "Resource" and (_HOLE.fullmatch(value) or _SOME_FUNCTION.fullmatch(value)):
        return _FUNCTION
    if _HOLE.fullmatch(value) and (key.endswith(("Path", ".$")) or key == "Variable"):
        return "$.placeholder"
    if _HOLE.fullmatch(value) and (key.endswith("Seconds") or key.startswith(("Max", "Tolerated"))):
        return 1
    value = _PARTITION.sub("arn:aws:", value)
    return _HOLE.sub(lambda hole: _KNOWN.get(hole[0], "Placeholder"), value)


def definitions(value: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """The outermost state machines in a value, also those that a text holds."""
    if isinstance(value, dict):
        if isinstance(value.get("States"), dict) and isinstance(value.get("StartAt"), str):
            yield where, value
            return
        if value.get("Type") in ("Map", "Parallel") and value.keys() & {
            "ItemProcessor",
            "Iterator",
            "Branches",
        }:
            return  # one state, as somebody tests it
        for key, item in value.items():
            yield from definitions(item, f"{where}/{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from definitions(item, f"{where}/{index}")
    elif isinstance(value, str) and value.lstrip().startswith("{") and '"StartAt"' in value:
        try:
            yield from definitions(_parsed(value), where)
        except ValueError as error:
            yield where, f"the text is no JSON: {error}"


def _parsed(text: str) -> Any:
    """The value of a definition as text, whose placeholders may stand where a number does."""
    try:
        return json.loads(text)
    except ValueError:
        return json.loads(re.sub(r"(:\s*)\$\{[^}]*\}", r"\g<1>1", text))


def loaded(path: Path, text: str) -> Any:
    """The value of a file; a template of CloudFormation may use the short forms of its functions."""
    if path.suffix == ".json5":
        text = _COMMENT.sub(lambda m: m[1] or "", text)
    try:
        return read_json(text).document if path.suffix == ".json" else yaml.load(text, TemplateLoader)
    except InputError:
        return yaml.load(text, TemplateLoader)


def checked(repository: str, path: Path) -> Iterator[Machine]:
    """The state machines of one file."""
    text = path.read_text("utf-8", errors="replace")
    if "StartAt" not in text or "States" not in text:
        return
    plain = ".asl." in path.name and "${" not in text
    try:
        if plain:
            made = read_json(text) if path.suffix == ".json" else read_yaml(text)
            yield Machine(
                repository, str(path), json.dumps(made.document), problems(made.document, made.positions)
            )
            return
        value = filled(loaded(path, text))
    except (InputError, yaml.YAMLError, ValueError, TypeError) as error:
        if ".asl." in path.name or path.suffix == ".json5":
            said = error.message if isinstance(error, InputError) else str(error)
            yield Machine(repository, str(path), text, [], " ".join(said.split()))
        return
    for where, definition in definitions(value):
        if isinstance(definition, str):
            yield Machine(repository, f"{path}#{where}", definition, [], definition)
        else:
            document = filled(definition)
            yield Machine(repository, f"{path}#{where}", json.dumps(document), problems(document))


def files(folder: Path) -> Iterator[Path]:
    """The files of a folder that may hold a state machine."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in SUFFIXES and path.is_file() and not set(SKIPPED) & set(path.parts):
            yield path


def once(machines: Iterator[Machine]) -> Iterator[Machine]:
    """Each state machine of a repository once, however often it stands there."""
    seen: set[tuple[str, str]] = set()
    for machine in machines:
        if (machine.repository, machine.text) not in seen:
            seen.add((machine.repository, machine.text))
            yield machine


def reason(problem: Problem) -> str:
    """A problem without its names, so that equal reasons count together."""
    return re.sub(r"`[^`]*`", "`...`", problem.message) if "`States." in problem.message else problem.message


def main() -> int:
    """Check the folders and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="+", type=Path)
    parser.add_argument("--verbose", action="store_true", help="name every document that does not validate")
    parser.add_argument("--markdown", action="store_true", help="print the table of the documentation")
    given = parser.parse_args()
    found = list(
        once(m for folder in given.folder for path in files(folder) for m in checked(folder.name, path))
    )
    if given.markdown:
        _markdown(found)
    else:
        _plain(found, given.verbose)
    return 0


def _plain(found: list[Machine], verbose: bool) -> None:
    for name in dict.fromkeys(m.repository for m in found):
        own = [m for m in found if m.repository == name]
        good = sum(not m.found and not m.unread for m in own)
        print(f"{good:5} of {len(own):5}  {name}")
    good = sum(not m.found and not m.unread for m in found)
    print(f"{good:5} of {len(found):5}  in all")
    if verbose:
        for machine in found:
            for text in [machine.unread] if machine.unread else [str(p) for p in machine.found]:
                print(f"{machine.where}: {text}")


def _markdown(found: list[Machine]) -> None:
    print("| Repository | Validate | Do not |\n|---|---:|---:|")
    for name in dict.fromkeys(m.repository for m in found):
        own = [m for m in found if m.repository == name]
        good = sum(not m.found and not m.unread for m in own)
        print(f"| {name} | {good} | {len(own) - good} |")
    print("\n| What is wrong | Documents |\n|---|---:|")
    reasons = Counter(
        r for m in found for r in {reason(p) for p in m.found} | ({"unread"} if m.unread else set())
    )
    for text, count in reasons.most_common():
        print(f"| {text} | {count} |")


if __name__ == "__main__":
    sys.exit(main())
