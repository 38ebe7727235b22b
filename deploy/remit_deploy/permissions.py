"""Who may do what by a template, statement by statement, and what a change of it newly allows, as sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from msgspec import Struct

from remit_deploy.reading import Reading

KINDS = {
    "dynamodb": "table",
    "sqs": "queue",
    "s3": "bucket",
    "lambda": "function",
    "sns": "topic",
    "states": "state machine",
    "events": "event bus",
    "kms": "key",
    "iam": "policy",
    "secretsmanager": "secret",
    "ssm": "parameter",
    "logs": "log group",
    "bedrock": "model",
}


class Right(NamedTuple):
    """One action that somebody may take on one resource, or must not (`effect` Deny)."""

    who: str
    effect: str
    action: str
    resource: str
    condition: str = ""


class Sentence(Struct, frozen=True):
    """Rights that belong together, said in one sentence."""

    who: str
    text: str


def rights(template: Mapping[str, Any]) -> set[Right]:
    """All rights that a template gives: by roles' policies, who may act as a role, and policies of resources."""
    reading, found = Reading(template), set[Right]()
    for id, resource in reading.resources.items():
        for who, statement, on in _statements(reading, id, resource):
            found.update(_rights_of(reading, who, statement, on))
        if resource["Type"] == "AWS::Lambda::Permission":
            found.add(_invocation(reading, resource["Properties"]))
        for managed in resource.get("Properties", {}).get("ManagedPolicyArns", []):
            found.add(Right(reading.name(id), "Allow", "all", _words(reading.text(managed))))
    return found


def sentences(found: Iterable[Right]) -> list[Sentence]:
    """Rights as sentences: one for all actions on the same resources, sorted by who has them."""
    actions: dict[tuple[str, str, str, str], set[str]] = {}
    for right in found:
        key = (right.who, right.effect, right.resource, right.condition)
        actions.setdefault(key, set()).add(right.action)
    resources: dict[tuple[str, str, tuple[str, ...], str], set[str]] = {}
    for (who, effect, resource, condition), done in actions.items():
        resources.setdefault((who, effect, tuple(sorted(done)), condition), set()).add(resource)
    said = [Sentence(key[0], _sentence(*key[1:], sorted(on))) for key, on in resources.items()]
    return sorted(said, key=lambda s: (s.who, s.text))


def _statements(
    reading: Reading, id: str, resource: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """Each statement: whose it is (empty when it says so itself), and on what (empty likewise)."""
    kind, properties = resource["Type"], resource.get("Properties", {})
    if kind == "AWS::IAM::Role":
        for policy in properties.get("Policies", []):
            yield from ((reading.name(id), s, "") for s in _listed(policy["PolicyDocument"]))
        trusted = _listed(properties.get("AssumeRolePolicyDocument", {}))
        yield from (("", s, f"role {reading.name(id)}") for s in trusted)
    elif kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        for role in [
            *properties.get("Roles", []),
            *properties.get("Users", []),
            *properties.get("Groups", []),
        ]:
            yield from ((reading.text(role), s, "") for s in _listed(properties["PolicyDocument"]))
    elif kind == "AWS::KMS::Key":
        yield from (("", s, f"key {reading.name(id)}") for s in _listed(properties.get("KeyPolicy", {})))
    elif "PolicyDocument" in properties:
        yield from (("", s, "") for s in _listed(properties["PolicyDocument"]))


def _listed(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = document.get("Statement", [])
    return found if isinstance(found, list) else [found]


def _rights_of(reading: Reading, who: str, statement: Mapping[str, Any], on: str) -> Iterator[Right]:
    actions = _many(statement.get("Action")) or [
        f"everything but {', '.join(_many(statement.get('NotAction')))}"
    ]
    given = [reading.text(r) for r in _many(statement.get("Resource"))]
    resources = [on] if on else [_words(text) for text in given] or ["what it is attached to"]
    condition = _condition(reading, statement.get("Condition") or {})
    for name in [who] if who else list(_principals(reading, statement)):
        for action in actions:
            for resource in resources:
                yield Right(name, statement.get("Effect", "Allow"), action, resource, condition)


def _principals(reading: Reading, statement: Mapping[str, Any]) -> Iterator[str]:
    given = statement.get("Principal", "*")
    if isinstance(given, str):
        yield "everybody" if given == "*" else given
        return
    for names in given.values():
        for name in _many(names):
            text = reading.text(name)
            yield "everybody" if text == "*" else text


def _invocation(reading: Reading, properties: Mapping[str, Any]) -> Right:
    source = reading.text(properties.get("SourceArn", ""))
    condition = f"for {_words(source)}" if source else ""
    function = _words(reading.text(properties["FunctionName"]))
    return Right(reading.text(properties["Principal"]), "Allow", properties["Action"], function, condition)


def _many(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _words(arn: str) -> str:
    """An ARN in words: `table remit-dev-journal`."""
    if not arn.startswith("arn:"):
        return "anything" if arn == "*" else arn
    parts = arn.split(":", 5)
    service, rest = parts[2], parts[-1]
    if service == "s3" and "/" in rest:
        return f"objects {rest}"
    if service == "dynamodb" and "/index/" in rest:
        return f"indexes of table {rest.split('/')[1]}"
    name = rest
    for prefix in (
        "table/",
        "function:",
        "stateMachine:",
        "secret:",
        "log-group:",
        "event-bus/",
        "role/",
        "key/",
    ):
        name = name.removeprefix(prefix)
    for prefix, kind in (
        ("guardrail/", "guardrail"),
        ("foundation-model/", "model"),
        ("execution:", "execution"),
    ):
        if name.startswith(prefix):
            return f"{kind} {name.removeprefix(prefix)}"
    name = name.removeprefix("inference-profile/").removeprefix("parameter")
    return f"{KINDS.get(service, service)} {name}" if name != "*" else f"any {KINDS.get(service, service)}"


def _sentence(effect: str, actions: tuple[str, ...], condition: str, resources: list[str]) -> str:
    may = "may" if effect == "Allow" else "must not"
    when = f", {condition}" if condition else ""
    if actions == ("sts:AssumeRole",):
        return f"{may} act as {_together(resources)}{when}"
    return f"{may} {_done(actions)} {_together(resources)}{when}"


def _done(actions: tuple[str, ...]) -> str:
    """`GetItem, Query (dynamodb) on`: each service is named once."""
    services: dict[str, list[str]] = {}
    for action in actions:
        service, _, verb = action.rpartition(":")
        services.setdefault(service, []).append("do anything" if verb == "*" else verb)
    said = [
        f"{', '.join(verbs)} ({service})" if service else ", ".join(verbs)
        for service, verbs in services.items()
    ]
    return f"{'; '.join(said)} on"


def _together(resources: list[str]) -> str:
    """`table a, b` for `table a` and `table b`."""
    kinds: dict[str, list[str]] = {}
    for resource in resources:
        kind, _, name = resource.rpartition(" ")
        kinds.setdefault(kind, []).append(name)
    return "; ".join(f"{kind} {', '.join(names)}".strip() for kind, names in kinds.items())


def _condition(reading: Reading, tests: Mapping[str, Any]) -> str:
    said = []
    for test, pairs in sorted(tests.items()):
        for key, value in sorted(pairs.items()):
            values = ", ".join(_words(reading.text(each)) for each in _many(value))
            if key == "kms:ViaService":
                said.append(f"only through {values.replace('.REGION.amazonaws.com', '')}")
            elif key == "aws:SecureTransport":
                said.append("when it does not come by TLS" if values == "false" else "when it comes by TLS")
            elif key == "aws:SourceAccount":
                said.append("for this account")
            elif key in ("aws:SourceArn", "AWS:SourceArn"):
                said.append(f"for {values}")
            else:
                said.append(f"if {key} {test} {values}")
    return " and ".join(said)
