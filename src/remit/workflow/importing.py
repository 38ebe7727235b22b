"""A state machine from AWS, read from its text: JSON, or YAML with CloudFormation's short tags."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any

from remit.core.errors import InputError
from remit.core.states.imported import Imported, imported
from remit.core.states.text import limited
from remit.workflow.reading import MALFORMED, read, yaml_loader

_TEMPLATE = re.compile(r"^Resources\s*:", re.MULTILINE)


def import_document(
    text: str,
    *,
    known: Mapping[str, Collection[str]] | None = None,
    substitutions: Mapping[str, str] | None = None,
    machine: str = "",
    file: Callable[[str], str] | None = None,
) -> Imported:
    """The state machine in a text: a document, what `describe-state-machine` prints, or a CloudFormation or SAM template.

    `known` are the names that exist here by kind (`tool`, `agent`, `workflow`, `service`); `substitutions` fill `${NAME}`;
    `machine` says which state machine of several; `file` reads the file that a template's `DefinitionUri` names.
    Raises InputError E684 when there is no state machine in it, and what reading raises.
    """
    source = _source(text)
    try:
        return imported(
            source,
            lambda inner: read(inner).document,
            known=known,
            substitutions=substitutions,
            machine=machine,
            file=file,
        )
    except MALFORMED as error:
        # Half a template is what one has while typing it: a part that is not of the shape CloudFormation gives it.
        raise InputError(
            "this is no whole template",
            code="E684",
            help="give each resource its Type and Properties, and each function its arguments",
        ) from error


def _source(text: str) -> Mapping[str, Any]:
    is_json = text.lstrip("\ufeff \t\r\n").startswith("{")
    value = _template(text) if not is_json and _TEMPLATE.search(text) else read(text).document
    if isinstance(value, Mapping):
        return value
    raise InputError(
        "no state machine is in this text",
        code="E684",
        help="give a States Language document, or a template with one",
    )


def _template(text: str) -> Any:
    import yaml

    try:
        return yaml.load(
            limited(text), Loader=_template_loader()
        )  # a SafeLoader, with functions as plain data
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f" (line {mark.line + 1})" if mark else ""
        raise InputError(
            f"not YAML: {getattr(error, 'problem', error)}{at}", code="E684", help="mend the text"
        ) from error
    except MALFORMED as error:
        raise InputError(
            f"a value in this YAML cannot be read: {error}", code="E684", help="mend the text"
        ) from error


@cache
def _template_loader() -> type[Any]:
    """The reader of YAML that takes `!Sub x` for `{Fn::Sub: x}`."""
    import yaml

    class Loader(yaml_loader()):  # type: ignore[misc]
        """As `_template_loader` says."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            """The node, unless it is an alias: CloudFormation has none, and a few can stand for billions of values."""
            if self.check_event(yaml.AliasEvent):
                raise yaml.composer.ComposerError(
                    None, None, "a template has no aliases", self.peek_event().start_mark
                )
            return super().compose_node(parent, index)

    def function(loader: Any, name: str, node: Any) -> Any:
        if isinstance(node, yaml.ScalarNode):
            value: Any = loader.construct_scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            value = loader.construct_sequence(node, deep=True)
        else:
            value = loader.construct_mapping(node, deep=True)
        return {name if name in ("Ref", "Condition") else f"Fn::{name}": value}

    Loader.add_multi_constructor("!", function)
    return Loader
