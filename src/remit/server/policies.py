"""Policies: profiles and their texts, checking and testing them, what they make of each tool, and what they decided (P10)."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from msgspec import Meta, Struct

from remit.bootstrap import App
from remit.core.budget import Budget
from remit.core.definition import Head
from remit.core.errors import ConfigError, NotFoundError, RemitError
from remit.core.policy import ActionName, Decision, PolicyMistake, PolicyRequest, Principal
from remit.core.provenance import Labels
from remit.engine.decisions import DecisionFilter, DecisionLog
from remit.engine.keys import Identity
from remit.engine.kinds import PROFILE
from remit.engine.policy_tools import SITUATIONS, Situation, ToolPolicy, judged
from remit.engine.policytest import explain
from remit.engine.profiles import InForce, in_force
from remit.server.auth import READ, TheApp, Who
from remit.server.schemas import Cursor, Limit, operation, read, reply

router = APIRouter(prefix="/api/v1/policies", tags=["policies"])

MOST_TEXT = 50_000
MOST = 2**53

_Text = Annotated[str, Meta(max_length=MOST_TEXT)]
_Name = Annotated[str, Meta(max_length=200)]


class PolicyProfile(Struct, frozen=True):
    """A profile as it holds for the tenant now. `source` is `registry` for a version of a definition, else `folder`.

    `problem` says why it is not in force: disabled, or gone.
    """

    name: str
    source: Literal["registry", "folder"]
    version: int = 0
    digest: str = ""
    approver_roles: tuple[str, ...] = ()
    quorum: int = 1
    approval_expires_s: float = 0.0
    redact: tuple[str, ...] = ()
    budget: Budget = Budget()
    policies: int = 0
    problem: str = ""


class PolicyProfiles(Struct, frozen=True):
    """A page of profiles: those of folders on the first, then the registry's; `cursor` of the next page, or null at the end."""

    items: list[PolicyProfile]
    cursor: str | None = None


class PolicyText(Struct, frozen=True):
    """A profile with its text. `cedar` is all that holds, with what the profile extends; `schema` is what it is checked against.

    `draft` is what a next version starts from: the body of a definition of kind `policy_profile`.
    """

    profile: PolicyProfile
    cedar: str
    schema: str
    draft: dict[str, Any]


class CheckPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """A text of policies to check, and the fields of its `profile.toml` if these are to be checked too."""

    cedar: _Text
    profile: dict[str, Any] | None = None


class PolicyChecked(Struct, frozen=True):
    """What is wrong: places in the text, and sentences about the fields and about how both go together. Both empty: it is valid."""

    problems: tuple[PolicyMistake, ...]
    others: tuple[str, ...] = ()


class Asker(Struct, frozen=True, forbid_unknown_fields=True):
    """Who asks: an agent on behalf of somebody, or without an agent that person. The tenant is the caller's."""

    actor_id: _Name
    roles: tuple[_Name, ...] = ()
    agent: _Name = ""


class AskPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """A question to policy, as in a policy test. With `cedar` it is put to that text (and `fields`) instead of to a profile in force.

    What `resource_attrs` leaves out of a tool that is known here is filled in from its contract.
    """

    principal: Asker
    action: ActionName
    resource: _Name
    resource_attrs: dict[str, Any] = {}
    labels: Labels = Labels()
    arguments: dict[str, Any] = {}
    context: dict[str, Any] = {}
    profile: _Name = "default"
    cedar: _Text | None = None
    fields: dict[str, Any] = {}


class PolicyAnswer(Struct, frozen=True):
    """The decision, the same in words, and the question as policy got it."""

    decision: Decision
    explanation: str
    asked: PolicyRequest


class ToolPolicies(Struct, frozen=True):
    """A page of tools by name with the verdict in each of the `situations`; `cursor` of the next page, or null at the end."""

    items: list[ToolPolicy]
    situations: tuple[Situation, ...]
    profile: str
    cursor: str | None = None


COMPONENTS = (
    PolicyProfiles,
    PolicyText,
    CheckPolicy,
    PolicyChecked,
    AskPolicy,
    PolicyAnswer,
    ToolPolicies,
    DecisionLog,
)
"""Types that OpenAPI names."""

Named = Annotated[str, Query(max_length=200)]
Verdicts = Annotated[
    str,
    Query(pattern="^(|allow|deny|needs_approval)$", description="Only decisions with this verdict."),
]
Since = Annotated[int | None, Query(ge=0, le=MOST, description="From this time on (Unix milliseconds).")]
Until = Annotated[int | None, Query(ge=0, le=MOST, description="Up to this time (Unix milliseconds).")]


@router.get(
    "",
    operation_id="listPolicies",
    summary="The policy profiles",
    **operation(READ, {200: (PolicyProfiles, "A page of profiles.")}),
)
async def list_profiles(app: TheApp, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Every profile that a task may name, and which version of it holds."""
    heads = await app.registry.list(who.tenant_id, PROFILE, limit=limit, cursor=cursor)
    found = [await _registered(app, who, head) for head in heads.items if head.active.version]
    if cursor is None:
        for name in app.policy.profiles():
            head = await app.registry.head(who.tenant_id, PROFILE, name)
            if head is None or not head.active.version:
                found.append(_shown(name, InForce(name, app.policy.profile(name))))
    return reply(PolicyProfiles(sorted(found, key=lambda each: each.name), heads.cursor))


@router.get(
    "/tools",
    operation_id="policyTools",
    summary="What policy makes of each tool",
    **operation(READ, {200: (ToolPolicies, "A page of tools.")}, refusals=(404,)),
)
async def tools(
    app: TheApp,
    who: Who,
    profile: Named = "default",
    agent: Named = "",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Which calls run, which wait for a person, which are refused, and by which policy."""
    held = await _in_force(app, who, profile)
    names = sorted(name for name in app.catalogue.tools if cursor is None or name > cursor)
    specs = [app.catalogue.tools[name].spec for name in names[:limit]]
    found = judged(app.policy, specs, who.tenant_id, held.key, agent)
    more = names[limit - 1] if len(names) > limit else None
    return reply(ToolPolicies(found, SITUATIONS, profile, more))


@router.get(
    "/decisions",
    operation_id="policyDecisions",
    summary="What policy decided",
    **operation(READ, {200: (DecisionLog, "A page of decisions, newest first.")}),
)
async def decisions(
    app: TheApp,
    who: Who,
    verdict: Verdicts = "",
    tool: Named = "",
    agent: Named = "",
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Decisions about the calls of runs: of tools, and what was refused or held of models and other agents.

    Hand-offs and models that policy let through are in the journals of their runs. A page looks through a bounded number of
    records: with a filter it may be short, and its cursor goes on.
    """
    wanted = DecisionFilter(verdict, tool, agent, since, until)
    return reply(await app.decisions.list(who.tenant_id, wanted, limit=limit, cursor=cursor))


@router.post(
    "/validate",
    operation_id="validatePolicy",
    summary="Check a text of policies",
    **operation(READ, {200: (PolicyChecked, "What is wrong with it, and where.")}, body=CheckPolicy),
)
async def validate(request: Request, app: TheApp, who: Who) -> Response:
    """Everything wrong with it, as when it were saved; nothing is kept."""
    asked = await read(request, CheckPolicy, who)
    problems = await asyncio.to_thread(app.policy.check, asked.cedar)
    others: tuple[str, ...] = ()
    if not problems and asked.profile is not None:
        try:
            await asyncio.to_thread(app.policy.check_profile, asked.profile, asked.cedar)
        except ConfigError as error:
            others = tuple(error.message.split("; "))
    return reply(PolicyChecked(problems, others))


@router.post(
    "/test",
    operation_id="testPolicy",
    summary="Ask policy a question",
    **operation(READ, {200: (PolicyAnswer, "The decision, with reasons.")}, body=AskPolicy, refusals=(404,)),
)
async def test(request: Request, app: TheApp, who: Who) -> Response:
    """What would be decided, by a profile in force or by a text that is not saved. Nothing happens, and nothing is logged."""
    asked = await read(request, AskPolicy, who)
    if asked.cedar is None:
        key = (await _in_force(app, who, asked.profile)).key
    else:
        key = await asyncio.to_thread(app.policy.add, "draft", asked.fields, asked.cedar)
    question = PolicyRequest(
        Principal(who.tenant_id, asked.principal.actor_id, asked.principal.roles, asked.principal.agent),
        asked.action,
        asked.resource,
        {**_facts(app, who, asked), **asked.resource_attrs},
        asked.labels,
        asked.arguments,
        {**_CONTEXT.get(asked.action, {}), **asked.context},
        key,
    )
    decision = app.policy.decide(question)
    return reply(PolicyAnswer(decision, explain(decision), question))


@router.get(
    "/{profile}",
    operation_id="showPolicy",
    summary="A policy profile and its text",
    **operation(READ, {200: (PolicyText, "The profile.")}, refusals=(404,)),
)
async def show(profile: str, app: TheApp, who: Who) -> Response:
    """What holds now, and what a next version would start from."""
    held = await _in_force(app, who, profile)
    if held.used is not None:
        made = await app.registry.get(who.tenant_id, PROFILE, profile, held.used.version)
        draft = made.body
    else:
        own = _shown(profile, held)
        fields = {f: getattr(own, f) for f in ("redact", "approver_roles", "quorum", "approval_expires_s")}
        limits = {f: value for f in Budget.__struct_fields__ if (value := getattr(own.budget, f)) is not None}
        draft = {"cedar": held.profile.cedar, "profile": {**fields, "budget": limits}}
    return reply(PolicyText(_shown(profile, held), held.profile.cedar, app.policy.schema(), draft))


_CONTEXT: dict[str, dict[str, Any]] = {
    "call_tool": {"declared": True},
    "hand_off": {"declared": True},
    "approve": {"requester_is_approver": False},
}
"""What is so of an ordinary call, unless the question says otherwise."""


def _facts(app: App, who: Identity, asked: AskPolicy) -> dict[str, Any]:
    tool = app.catalogue.tools.get(asked.resource) if asked.action in ("call_tool", "approve") else None
    facts: dict[str, Any] = {"tenant_id": who.tenant_id} if asked.action == "approve" else {}
    if tool is not None:
        spec = tool.spec
        facts |= {"risk": spec.risk, "effect": spec.effect, "outward": spec.outward, "tags": list(spec.tags)}
    return facts


async def _in_force(app: App, who: Identity, name: str) -> InForce:
    try:
        return await in_force(app.registry, app.policy, who.tenant_id, name)
    except ConfigError as error:
        if error.code != "E221":
            raise
        raise NotFoundError(error.message, code="E1023", help=error.help) from error


async def _registered(app: App, who: Identity, head: Head) -> PolicyProfile:
    """A profile of the registry as it stands; one that cannot be asked says why."""
    try:
        return _shown(head.name, await in_force(app.registry, app.policy, who.tenant_id, head.name))
    except RemitError as error:
        return PolicyProfile(head.name, "registry", head.active.version, problem=error.message)


def _shown(name: str, held: InForce) -> PolicyProfile:
    profile, used = held.profile, held.used
    return PolicyProfile(
        name,
        "folder" if used is None else "registry",
        0 if used is None else used.version,
        profile.digest,
        profile.approver_roles,
        profile.quorum,
        profile.approval_expires_s,
        profile.redact,
        profile.budget,
        profile.cedar.count("@id("),
    )
