"""What the packaged profiles make of where arguments came from, and of writing to memory in a tainted run."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from remit.adapters.policy.cedar import CedarPolicy
from remit.adapters.policy.files import load_profiles
from remit.core.policy import PolicyRequest, Profile
from remit.core.provenance import Labels
from remit.core.roles import ROLES
from remit.testing.contracts.policy import AGENT, call

PROFILES = load_profiles()
TAINTED, BOTH = Labels(True, "internal"), Labels(True, "private")


@pytest.fixture(scope="module")
def policy() -> CedarPolicy:
    return CedarPolicy(PROFILES)


def flow(
    untrusted: tuple[str, ...] = (), composed: tuple[str, ...] = (), private: bool = False
) -> dict[str, Any]:
    return {"flow": {"untrusted": list(untrusted), "composed": list(composed), "private": private}}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("risk", "verdict"), [("L0", "allow"), ("L1", "allow"), ("L2", "deny"), ("L3", "deny")]
)
def test_untrusted_text_decides_nothing_that_matters(
    policy: CedarPolicy, role: str, risk: str, verdict: str
) -> None:
    """Of L2 and L3 it is refused, and no approval lifts that."""
    facts = {"risk": risk, "effect": "keyed", "outward": False}
    request = call(resource_attrs=facts, labels=TAINTED, context=flow((role,)))
    assert policy.decide(request).verdict == verdict
    approved = replace(request, context={**request.context, "approved": True})
    assert policy.decide(approved).verdict == verdict


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("risk", ["L2", "L3"])
def test_a_composed_target_needs_a_person(policy: CedarPolicy, role: str, risk: str) -> None:
    """And goes ahead when one has approved it."""
    facts = {"risk": risk, "effect": "keyed", "outward": False}
    request = call(resource_attrs=facts, labels=TAINTED, context=flow((), (role,)))
    assert policy.decide(request).verdict == "needs_approval"
    assert policy.decide(replace(request, context={**request.context, "approved": True})).verdict == "allow"


@pytest.mark.parametrize(
    ("risk", "labels", "facts", "verdict"),
    [
        ("L0", BOTH, flow(), "allow"),
        ("L1", BOTH, flow(), "allow"),
        ("L0", BOTH, flow(private=True), "needs_approval"),
        ("L1", BOTH, flow(private=True), "needs_approval"),
        ("L0", BOTH, flow(composed=("url",)), "needs_approval"),
        ("L1", BOTH, flow(composed=("recipient",)), "needs_approval"),
        ("L0", BOTH, flow(composed=("path",)), "needs_approval"),
        ("L0", BOTH, flow(untrusted=("url",)), "allow"),
        ("L1", BOTH, flow(untrusted=("url",)), "needs_approval"),
        ("L1", BOTH, flow(untrusted=("path",)), "allow"),
        ("L1", TAINTED, flow(untrusted=("url",)), "allow"),
        ("L1", Labels(False, "private"), flow(private=True), "allow"),
    ],
)
def test_nothing_private_leaves_unasked(
    policy: CedarPolicy, risk: str, labels: Labels, facts: Any, verdict: str
) -> None:
    """Of L0 and L1 outwards; inside the house nothing is asked."""
    attrs = {"risk": risk, "effect": "keyed", "outward": True}
    request = call(resource_attrs=attrs, labels=labels, context=facts)
    assert policy.decide(request).verdict == verdict
    assert policy.decide(replace(request, resource_attrs={**attrs, "outward": False})).verdict == "allow"


@pytest.mark.parametrize(
    ("scope", "tags", "untrusted", "default", "strict"),
    [
        ("agent", ["preference"], False, "allow", "needs_approval"),
        ("agent", ["observation"], False, "allow", "needs_approval"),
        ("tenant", ["fact"], False, "allow", "needs_approval"),
        ("agent", ["observation"], True, "allow", "deny"),
        ("agent", ["preference"], True, "needs_approval", "deny"),
        ("agent", ["observation", "supersedes"], True, "needs_approval", "deny"),
        ("own", ["forget"], True, "needs_approval", "deny"),
        ("tenant", ["observation"], True, "needs_approval", "deny"),
        ("agent", [], True, "needs_approval", "deny"),
    ],
)  # fmt: skip
def test_memory_is_not_poisoned(
    policy: CedarPolicy, scope: str, tags: list[str], untrusted: bool, default: str, strict: str
) -> None:
    """After untrusted content only observations are kept without a person, and by `strict` nothing."""
    request = PolicyRequest(AGENT, "write_memory", scope, {"tags": tags}, Labels(untrusted))
    assert policy.decide(request).verdict == default
    assert policy.decide(replace(request, profile="strict")).verdict == strict


def test_a_profile_of_ones_own_may_speak_of_the_flow() -> None:
    """The facts are there for every call, also where there is nothing to tell."""
    text = (
        '@id("all") permit (principal, action, resource);\n'
        '@id("mine") forbid (principal, action, resource) when { !context.flow.composed.isEmpty() || context.flow.private };'
    )
    policy = CedarPolicy({"p": Profile("p", text)})
    assert policy.decide(call(profile="p")).verdict == "allow"
    assert policy.decide(call(profile="p", context=flow(composed=("path",)))).policies == ("mine",)


@pytest.mark.parametrize(
    "bad",
    [{"flow": 3}, {"flow": {"untrusted": "path"}}, {"flow": {"other": []}}, {"flow": {"private": "no"}}],
)
def test_facts_that_are_odd_are_a_no(policy: CedarPolicy, bad: Any) -> None:
    """A question that cannot be put is refused."""
    assert policy.decide(call(context=bad)).verdict == "deny"
