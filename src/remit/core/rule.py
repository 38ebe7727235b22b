"""Rules: which events start a run of what, with what input, and what happens when that fails (F3)."""

from __future__ import annotations

import re
from typing import Annotated, Any

from msgspec import Meta, Struct

from remit.core import pattern as pt
from remit.core.cloudevent import CloudEvent, to_json
from remit.core.codec import encode
from remit.core.errors import InputError

MOST_HOPS = 16
"""How many events may have led to one that still starts something: what bounds a rule that sets itself off."""

PUBLISH = "publish_event"
"""The tool by which agents publish events."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}\Z")
_VARIABLE = re.compile(r"<([A-Za-z_][A-Za-z0-9_.]{0,99})>")
_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_-]*)|\[(\d{1,6})\]|\['([^'\]]*)'\]")

RULE, EVENT = "remit.rule", "remit.event"
"""Variables that every template has: the rule's name, and the whole event."""

_MISSING = object()


class Redelivery(Struct, frozen=True, forbid_unknown_fields=True):
    """How often a delivery is tried in all, and how long it rests in between: exponential from `base_s` to `max_s` seconds.

    `on_failure` counts a run that fails as a failed delivery; without it a delivery is done when its run exists.
    """

    attempts: Annotated[int, Meta(ge=1, le=100)] = 8
    base_s: Annotated[float, Meta(ge=0, le=3600)] = 1.0
    max_s: Annotated[float, Meta(ge=0, le=86_400)] = 300.0
    on_failure: bool = False


class InputSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """What a target is given of an event: all of it, the part at `path`, or `template` with the values at `paths` filled in.

    In a template `<name>` stands for a value: a text that is nothing else becomes the value itself, inside other text it is
    written out. Paths are `$`, `$.data.id`, `$.data.items[0]`. `<remit.event>` is the whole event, `<remit.rule>` the rule.
    Source: EventBridge, InputPath and InputTransformer.
    """

    path: str = ""
    paths: dict[str, str] = {}
    template: Any = None


class RuleBody(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A rule: events that match `pattern` start a run of `target`, an agent or a workflow.

    `ordered` lets the run of one event end before the next event with the same partition key is looked at. Without
    `dead_letter` an event whose delivery fails for good is dropped, and only counted.
    """

    pattern: dict[str, Any]
    target: Annotated[str, Meta(min_length=1, max_length=200)]
    input: InputSpec = InputSpec()
    objective: Annotated[str, Meta(max_length=10_000)] = ""
    policy_profile: Annotated[str, Meta(min_length=1)] = "default"
    retry: Redelivery = Redelivery()
    dead_letter: bool = True
    ordered: bool = False
    enabled: bool = True
    description: str = ""


def problems_of(rule: RuleBody) -> list[str]:
    """Everything that is wrong with a rule, a sentence each."""
    return [*pt.problems_of(rule.pattern), *_problems_of_input(rule.input)]


def _problems_of_input(spec: InputSpec) -> list[str]:
    found = []
    if spec.path and (spec.paths or spec.template is not None):
        found.append("`input` has a `path` and a `template`, and can have one of them")
    if spec.paths and spec.template is None:
        found.append("`input.paths` are for a `template`, and there is none")
    for name, path in (*spec.paths.items(), *([("path", spec.path)] if spec.path else [])):
        if _steps(path) is None:
            found.append(f"`input`: `{path[:60]}` is no path such as `$.data.id`")
        if not _NAME.match(name):
            found.append(f"`input.paths`: `{name[:60]}` cannot name a value: use letters, digits and `_`")
    unknown = sorted(set(_variables(spec.template)) - {*spec.paths, RULE, EVENT})
    return found + [
        f"`input.template` has `<{name}>`, for which `input.paths` has no path" for name in unknown
    ]


def given(spec: InputSpec, name: str, event: CloudEvent) -> Any:
    """What a target is given of an event, by the rule (or subscription) `name`."""
    whole = to_json(event)
    if spec.template is None:
        found = _at(whole, spec.path) if spec.path else whole
        return None if found is _MISSING else found
    values = {variable: _at(whole, path) for variable, path in spec.paths.items()}
    return _filled(spec.template, {**values, RULE: name, EVENT: whole})


def _filled(template: Any, values: dict[str, Any]) -> Any:
    if isinstance(template, dict):
        return {key: _filled(value, values) for key, value in template.items()}
    if isinstance(template, list):
        return [_filled(value, values) for value in template]
    if not isinstance(template, str):
        return template
    alone = _VARIABLE.fullmatch(template)
    if alone is not None and alone[1] in values:
        found = values[alone[1]]
        return None if found is _MISSING else found
    return _VARIABLE.sub(lambda m: _written(values[m[1]]) if m[1] in values else m[0], template)


def _written(value: Any) -> str:
    """A value inside a text: texts as they are, nothing for what is missing, everything else as JSON."""
    if value is _MISSING:
        return ""
    return value if isinstance(value, str) else encode(value).decode()


def _variables(template: Any) -> list[str]:
    if isinstance(template, dict):
        return [name for value in template.values() for name in _variables(value)]
    if isinstance(template, list):
        return [name for value in template for name in _variables(value)]
    return _VARIABLE.findall(template) if isinstance(template, str) else []


def _steps(path: str) -> list[str | int] | None:
    """The fields and positions of a path, or None for what is no path."""
    if not path.startswith("$"):
        return None
    steps: list[str | int] = []
    at = 1
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None:
            return None
        steps.append(int(found[2]) if found[2] is not None else found[1] or found[3])
        at = found.end()
    return steps


def _at(node: Any, path: str) -> Any:
    for step in _steps(path) or []:
        if isinstance(step, int):
            if not isinstance(node, list) or step >= len(node):
                return _MISSING
            node = node[step]
        else:
            if not isinstance(node, dict) or step not in node:
                return _MISSING
            node = node[step]
    return node


# how far an event has come

_VIA = re.compile(r"(?:rule|agent):.+#(\d{1,6})\Z", re.DOTALL)


def via(kind: str, name: str, hops: int) -> str:
    """By which way a run came that an event started: the rule, or the agent that subscribed, and how many events led there."""
    return f"{kind}:{name}#{hops}"


def hops_of(came_via: str) -> int:
    """How many events led to a run, from its actor's `via`; 0 for one that no event started."""
    found = _VIA.match(came_via)
    return int(found[1]) if found else 0


def declares(published: tuple[str, ...], kind: str) -> bool:
    """Whether an agent that declares `published` may publish events of type `kind`. A declared type may end in `*`."""
    return any(kind == one or (one.endswith("*") and kind.startswith(one[:-1])) for one in published)


def with_publishing(tools: tuple[str, ...], publishes: tuple[str, ...]) -> tuple[str, ...]:
    """The tools of an agent, with the one by which it publishes if it declares that it does."""
    return tuple(dict.fromkeys([*tools, PUBLISH])) if publishes else tools


def check_declared(agent: str, subscribes: Any, publishes: Any) -> None:
    """Raise InputError E663 for event types and patterns that an agent cannot declare."""
    found = [
        f"`publishes` has `{str(one)[:60]}`, which is no event type, nor one that ends in `*`"
        for one in publishes
        if not isinstance(one, str) or not one or "*" in one[:-1]
    ]
    for one in pt.of_types(list(subscribes)):
        found += pt.problems_of(one)
    if found:
        raise InputError(
            (f"agent `{agent}`: " if agent else "") + "; ".join(found),
            code="E663",
            help="name event types (`order.placed`, `order.*`) or EventBridge patterns",
        )
