"""A state machine from AWS, as a document to run here: found in what AWS and its templates wrap it in, its names filled in.

Taken as they are: a States Language document; what `aws stepfunctions describe-state-machine` prints; a CloudFormation or
SAM template with one in it. Text is read elsewhere: `remit.workflow.importing`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from msgspec import Struct

from remit.core.errors import InputError
from remit.core.states import resources
from remit.core.states.check import problems
from remit.core.states.dataflow import speaks_jsonata
from remit.core.states.permissions import literals
from remit.core.states.report import Problem
from remit.core.states.text import child

_MACHINES = ("AWS::StepFunctions::StateMachine", "AWS::Serverless::StateMachine")
_FUNCTIONS = ("AWS::Lambda::Function", "AWS::Serverless::Function")
_PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": "",
    "AWS::AccountId": "",
    "AWS::StackName": "stack",
    "AWS::URLSuffix": "amazonaws.com",
}
"""An account and a region mean nothing here; ARNs are read without them."""
_PLACEHOLDER = re.compile(r"\$\{(!?)([^{}$]+)\}")
_ITEMS = tuple(f"dynamodb:{verb}Item" for verb in ("get", "put", "update", "delete"))
_LOCAL_SERVICES = ("sqs:sendMessage", "sns:publish", "events:putEvents", *_ITEMS)

Parse = Callable[[str], Any]


class Linked(Struct, frozen=True):
    """What a Task's resource means here: the kind and the name, and whether there is such a thing."""

    pointer: str
    resource: str
    kind: str
    name: str
    found: bool
    note: str = ""


class Imported(Struct, frozen=True):
    """A document from elsewhere, with what its Tasks mean here and what keeps it from running."""

    name: str
    document: dict[str, Any]
    links: tuple[Linked, ...]
    problems: tuple[Problem, ...]

    @property
    def missing(self) -> tuple[Linked, ...]:
        """What has to be written or bound before it runs."""
        return tuple(link for link in self.links if not link.found)


def imported(
    source: Mapping[str, Any],
    parse: Parse,
    *,
    known: Mapping[str, Collection[str]] | None = None,
    substitutions: Mapping[str, str] | None = None,
    machine: str = "",
    file: Callable[[str], str] | None = None,
) -> Imported:
    """The state machine in a source. `known`: names of tools, agents, workflows and services that there are here.

    `parse` reads a document that is a text inside the source, `file` the one that a `DefinitionUri` names. `substitutions`
    fill `${NAME}`; `machine` says which of several. Raises InputError E684 when there is none, or more than one.
    """
    found = _found(source, parse, substitutions or {}, machine, file)
    unknown = _placeholders(found.document, "")
    wrong = [*unknown, *(p for p in problems(found.document) if not _about(p, unknown))]
    linked = () if wrong else links(found.document, known or {})
    return Imported(found.name, found.document, linked, tuple(wrong))


def links(document: Mapping[str, Any], known: Mapping[str, Collection[str]]) -> tuple[Linked, ...]:
    """What the Tasks of a checked document mean here; `known` as in `imported`."""
    return tuple(_links(document, document, "", known))


class _Machine(Struct, frozen=True):
    name: str
    document: dict[str, Any]


def _found(
    source: Mapping[str, Any],
    parse: Parse,
    substitutions: Mapping[str, str],
    machine: str,
    file: Callable[[str], str] | None,
) -> _Machine:
    if "StartAt" in source:
        return _Machine("", _filled(dict(source), substitutions))
    definition = source.get("definition", source.get("stateMachine", {}))
    if isinstance(definition, str):
        return _Machine(str(source.get("name", "")), _filled(_object(parse(definition)), substitutions))
    if isinstance(source.get("Resources"), Mapping):
        return _Template(source, substitutions).machine(machine, parse, file)
    raise InputError(
        "no state machine is in this text",
        code="E684",
        help="give a States Language document, what `aws stepfunctions describe-state-machine` prints, or a template with one",
    )


# templates


class _Template:
    """A CloudFormation template, and what its functions mean without a stack."""

    def __init__(self, source: Mapping[str, Any], substitutions: Mapping[str, str]) -> None:
        self.resources: Mapping[str, Any] = source["Resources"]
        self.parameters: Mapping[str, Any] = source.get("Parameters") or {}
        self.substitutions = substitutions

    def machine(self, wanted: str, parse: Parse, file: Callable[[str], str] | None) -> _Machine:
        """The state machine of the template."""
        there = [
            n for n, r in self.resources.items() if isinstance(r, Mapping) and r.get("Type") in _MACHINES
        ]
        chosen = [n for n in there if wanted in (n, self._physical(n))] if wanted else there
        if len(chosen) != 1:
            raise InputError(
                f"the template has {len(there)} state machines"
                + (f", and none is `{wanted}`" if wanted else ""),
                code="E684",
                help=f"say which: {', '.join(there)}" if there else "give a template with a state machine",
            )
        name = chosen[0]
        properties = self.resources[name].get("Properties") or {}
        given = {k: str(self.value(v)) for k, v in (properties.get("DefinitionSubstitutions") or {}).items()}
        return _Machine(
            self._physical(name),
            _filled(self._definition(name, properties, parse, file), given | dict(self.substitutions)),
        )

    def _definition(
        self, name: str, properties: Mapping[str, Any], parse: Parse, file: Callable[[str], str] | None
    ) -> dict[str, Any]:
        if "Definition" in properties:
            return _object(self.value(properties["Definition"]))
        if "DefinitionString" in properties:
            return _object(parse(str(self.value(properties["DefinitionString"]))))
        where = properties.get("DefinitionUri")
        if isinstance(where, str) and file is not None:
            return _object(parse(file(where)))
        raise InputError(
            f"the definition of state machine `{name}` is not in the template",
            code="E684",
            help=f"it is in `{where}`: import that file" if where else "give the file that it is in",
        )

    def value(self, given: Any) -> Any:
        """A value with CloudFormation's functions done; what cannot be done stays as a `${...}`, and is told later."""
        if isinstance(given, list):
            return [self.value(item) for item in given]
        if not isinstance(given, Mapping):
            return given
        if len(given) == 1:
            function, argument = next(iter(given.items()))
            match function:
                case "Ref":
                    return self._named(str(argument))
                case "Fn::GetAtt":
                    parts = argument if isinstance(argument, list) else str(argument).split(".", 1)
                    return self._named(".".join(map(str, parts)))
                case "Fn::Sub":
                    return self._sub(argument)
                case "Fn::Join":
                    return str(argument[0]).join(str(self.value(item)) for item in self.value(argument[1]))
                case _ if str(function).startswith("Fn::"):
                    return f"${{{function}}}"
        return {key: self.value(item) for key, item in given.items()}

    def _sub(self, argument: Any) -> str:
        text, own = argument if isinstance(argument, list) else (argument, {})
        mine = {key: str(self.value(item)) for key, item in own.items()}
        return _PLACEHOLDER.sub(
            lambda m: f"${{{m[2]}}}" if m[1] else mine.get(m[2].strip()) or self._named(m[2].strip()),
            str(text),
        )

    def _named(self, name: str) -> str:
        """What a reference gives: of a parameter its default, of a resource what is its name or ARN here."""
        if name in self.substitutions:
            return self.substitutions[name]
        if name in _PSEUDO:
            return _PSEUDO[name]
        logical, _, attribute = name.partition(".")
        resource = self.resources.get(logical)
        if isinstance(resource, Mapping):
            return self._reference(logical, str(resource.get("Type", "")), attribute)
        parameter = self.parameters.get(name)
        default = parameter.get("Default") if isinstance(parameter, Mapping) else None
        return f"${{{name}}}" if default is None else str(default)

    def _reference(self, logical: str, type_: str, attribute: str) -> str:
        name = self._physical(logical)
        arn = attribute in ("Arn", "TopicArn", "FunctionArn") or attribute.endswith("Arn")
        if type_ in _FUNCTIONS:
            return f"arn:aws:lambda:::function:{name}" if arn else name
        if type_ in ("AWS::Lambda::Alias", "AWS::Lambda::Version"):
            of = self.resources[logical].get("Properties", {}).get("FunctionName", logical)
            return f"arn:aws:lambda:::function:{str(self.value(of)).rpartition(':function:')[2]}"
        if type_ in _MACHINES:
            return f"arn:aws:states:::stateMachine:{name}"
        if type_ == "AWS::StepFunctions::Activity":
            return f"arn:aws:states:::activity:{name}"
        if type_ == "AWS::SQS::Queue":
            return f"arn:aws:sqs:::{name}" if arn else f"https://sqs.amazonaws.com/{name}"
        if type_ == "AWS::SNS::Topic":
            return name if attribute == "TopicName" else f"arn:aws:sns:::{name}"
        return name

    def _physical(self, logical: str) -> str:
        """The name that a resource is given, or its own in the template."""
        properties = self.resources[logical].get("Properties") or {}
        names = (
            "FunctionName",
            "StateMachineName",
            "Name",
            "QueueName",
            "TopicName",
            "TableName",
            "BucketName",
        )
        given = next((properties[n] for n in names if isinstance(properties.get(n), str)), "")
        return given or logical


def _object(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise InputError("the definition is no object", code="E684", help="give a States Language document")


def _filled(value: Any, substitutions: Mapping[str, str]) -> Any:
    """The document with `${NAME}` filled in, in values; the rest as it is."""
    if isinstance(value, Mapping):
        return {key: _filled(item, substitutions) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, substitutions) for item in value]
    if not isinstance(value, str) or not substitutions:
        return value
    return _PLACEHOLDER.sub(lambda m: substitutions.get(m[2], m[0]) if not m[1] else m[0], value)


def _placeholders(value: Any, pointer: str) -> list[Problem]:
    """Names that nothing fills in."""
    if isinstance(value, Mapping):
        return [p for key, item in value.items() for p in _placeholders(item, child(pointer, str(key)))]
    if isinstance(value, list):
        return [p for index, item in enumerate(value) for p in _placeholders(item, child(pointer, index))]
    names = (
        dict.fromkeys(m[2] for m in _PLACEHOLDER.finditer(value) if not m[1])
        if isinstance(value, str)
        else {}
    )
    return [
        Problem(pointer, f"nothing says what `${{{name}}}` is", f"give it as a substitution: {name}=VALUE")
        for name in names
    ]


def _about(problem: Problem, unknown: list[Problem]) -> bool:
    """Whether a problem comes from a name that is not filled in."""
    return any(problem.pointer == one.pointer for one in unknown)


# what is here


def _links(
    document: Mapping[str, Any],
    machine: Mapping[str, Any],
    pointer: str,
    known: Mapping[str, Collection[str]],
) -> list[Linked]:
    made: list[Linked] = []
    at = child(pointer, "States")
    for name, state in machine["States"].items():
        here = child(at, name)
        if state["Type"] == "Task":
            given = state.get("Arguments" if speaks_jsonata(document, state) else "Parameters")
            made.append(_link(here, str(state["Resource"]), literals(given), known))
        for index, branch in enumerate(state.get("Branches", ())):
            made += _links(document, branch, child(child(here, "Branches"), index), known)
        for field in ("ItemProcessor", "Iterator"):
            if field in state:
                made += _links(document, state[field], child(here, field), known)
    return made


def _link(pointer: str, uri: str, given: Mapping[str, str], known: Mapping[str, Collection[str]]) -> Linked:
    resource = resources.parse(uri)
    assert resource is not None, uri
    kind, name = resource.kind, resource.name
    if kind == "lambda":
        return _function(pointer, uri, name, known)
    if kind == "service":
        return _service(pointer, uri, name, given, known)
    if kind in ("agent", "tool", "workflow"):
        return _named(pointer, uri, kind, name, known)
    return Linked(pointer, uri, kind, name, True, "a worker polls it" if kind == "activity" else "")


def _function(pointer: str, uri: str, name: str, known: Mapping[str, Collection[str]]) -> Linked:
    """A Lambda function is the tool of its name, else the agent."""
    for kind in ("tool", "agent"):
        if name in known.get(kind, ()):
            return Linked(pointer, uri, kind, name, True)
    return Linked(
        pointer,
        uri,
        "tool",
        name,
        False,
        f'write a tool or an agent named `{name}`, or call AWS: services = "aws"',
    )


def _service(
    pointer: str, uri: str, name: str, given: Mapping[str, str], known: Mapping[str, Collection[str]]
) -> Linked:
    if name == "lambda:invoke":
        function = given.get("FunctionName", "").rpartition(":function:")[2].split(":")[0]
        if function:
            return _function(pointer, uri, function, known)
        return Linked(pointer, uri, "tool", "", True, "which function it is, is known only in a run")
    if name == "states:startExecution":
        machine = given.get("StateMachineArn", "").rpartition(":stateMachine:")[2].split(":")[0]
        if machine:
            return _named(pointer, uri, "workflow", machine, known)
        return Linked(pointer, uri, "workflow", "", True, "which workflow it is, is known only in a run")
    if name in _LOCAL_SERVICES:
        return Linked(pointer, uri, "service", name, True, "done here, without AWS")
    found = name in known.get("service", ())
    return Linked(
        pointer, uri, "service", name, found, "" if found else 'only AWS does this: services = "aws"'
    )


def _named(pointer: str, uri: str, kind: str, name: str, known: Mapping[str, Collection[str]]) -> Linked:
    found = name in known.get(kind, ())
    return Linked(pointer, uri, kind, name, found, "" if found else f"there is no {kind} `{name}` here")
