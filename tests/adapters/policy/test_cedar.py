"""Cedar keeps the contract, the Rule of Two, and its own counsel when anything is odd."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from cedarpy import is_authorized
from msgspec.structs import replace

from remit.adapters.policy import cedar as module
from remit.adapters.policy.cedar import CedarPolicy, profile_digest
from remit.adapters.policy.checks import schema
from remit.adapters.policy.files import load_profiles
from remit.adapters.policy.question import RESOURCE_TYPES, question
from remit.adapters.policy.recent import Recent
from remit.core.errors import ConfigError
from remit.core.policy import PolicyRequest, Principal, Profile
from remit.core.provenance import Labels
from remit.testing.contracts.policy import AGENT, PolicyContract, approval, call

PROFILES = load_profiles()


def policy_of(cedar: str, **fields: Any) -> CedarPolicy:
    return CedarPolicy({"p": Profile("p", cedar, **fields)})


class TestCedarPolicy(PolicyContract):
    """The contract, on Cedar."""

    @pytest.fixture
    def policy(self) -> CedarPolicy:
        return CedarPolicy(PROFILES)


@pytest.fixture
def policy() -> CedarPolicy:
    return CedarPolicy(PROFILES)


RULE_OF_TWO = list(
    itertools.product([False, True], ["internal", "private"], [False, True], ["L0", "L1", "L2", "L3"])
)


def default_verdict(untrusted: bool, sensitivity: str, outward: bool, risk: str) -> str:
    all_three = untrusted and sensitivity == "private" and outward
    return "needs_approval" if risk == "L3" or (risk == "L2" and all_three) else "allow"


def strict_verdict(untrusted: bool, outward: bool, risk: str) -> str:
    if untrusted and outward:
        return "deny"
    return "allow" if risk == "L0" else "needs_approval"


@pytest.mark.parametrize(("untrusted", "sensitivity", "outward", "risk"), RULE_OF_TWO)
def test_rule_of_two_by_tier(
    policy: CedarPolicy, untrusted: bool, sensitivity: Any, outward: bool, risk: str
) -> None:
    """All eight combinations of untrusted input, private data and effects outwards, in all four tiers."""
    facts = {"risk": risk, "effect": "keyed", "outward": outward}
    request = call(resource_attrs=facts, labels=Labels(untrusted, sensitivity))
    assert policy.decide(request).verdict == default_verdict(untrusted, sensitivity, outward, risk)
    strict = replace(request, profile="strict", context={**request.context, "cited": True})
    assert policy.decide(strict).verdict == strict_verdict(untrusted, outward, risk)
    uncited = policy.decide(replace(strict, context={**request.context, "cited": False}))
    assert uncited.verdict == ("deny" if risk == "L3" else strict_verdict(untrusted, outward, risk))


@pytest.mark.parametrize(
    ("request_", "policies"),
    [
        (call("L0"), ("tools-run",)),
        (call("L3"), ("privileged-needs-approval",)),
        (call("L2", context={"over_limit": True}), ("over-limit-needs-approval",)),
        (call("L2", labels=Labels(True, "secret")), ("rule-of-two-needs-approval",)),
        (call("L0", resource_attrs={"risk": "L0", "tenant_id": "evil"}), ("tenants-are-apart",)),
        (approval(context={"requester_is_approver": True}), ("nobody-approves-their-own-request",)),
        (PolicyRequest(AGENT, "hand_off", "stranger"), ()),
    ],
)
def test_reasons_are_the_ids_of_the_deciding_policies(
    policy: CedarPolicy, request_: PolicyRequest, policies: tuple[str, ...]
) -> None:
    """The `@id`s, never positions."""
    assert policy.decide(request_).policies == policies


def test_publishing_with_all_three_legs_needs_approval(policy: CedarPolicy) -> None:
    """A topic counts as outwards unless it says otherwise."""
    tainted = PolicyRequest(AGENT, "publish", "news", labels=Labels(True, "private"))
    assert policy.decide(tainted).verdict == "needs_approval"
    assert policy.decide(replace(tainted, resource_attrs={"outward": False})).verdict == "allow"


def test_an_outward_flag_not_given_counts_as_outward(policy: CedarPolicy) -> None:
    """What is not known is taken to be the worst."""
    request = call(resource_attrs={"risk": "L2"}, labels=Labels(True, "private"))
    assert policy.decide(request).verdict == "needs_approval"


@pytest.mark.parametrize(
    "who",
    [
        Principal("acme", "mia", (), "payer"),
        Principal("acme", "mia", (), 'evil", x == "\\\n// }; permit (principal, action, resource);'),
        Principal('ac"me\u2028', "mia", (), "pay\x00er"),
        Principal("acme", "mia\n@", ()),
    ],
)
def test_help_really_allows_when_appended_and_nothing_else(who: Principal) -> None:
    """The text printed with a refusal is Cedar; it allows this principal, action and resource, and no other."""
    request = PolicyRequest(who, "hand_off", 'stran"ger')
    before = CedarPolicy(PROFILES).decide(request)
    assert before.verdict == "deny"
    profile = replace(PROFILES["default"], cedar=PROFILES["default"].cedar + before.help)
    policy = CedarPolicy({"default": profile})
    assert policy.decide(request).verdict == "allow"
    others = [
        replace(request, resource="other"),
        replace(request, principal=replace(who, tenant_id="globex")),
        replace(request, principal=replace(who, agent="other")),
    ]
    assert [policy.decide(other).verdict for other in others] == ["deny"] * 3
    assert policy.decide(replace(request, resource_attrs={"tenant_id": "globex"})).verdict == "deny"


def test_help_for_approving_allows_and_names_the_role(policy: CedarPolicy) -> None:
    """Who lacks the role is told of it first."""
    request = approval(Principal("acme", "mia", ("clerk",)))
    help_ = policy.decide(request).help
    assert "one of the roles `approver`" in help_
    profile = replace(PROFILES["default"], cedar=PROFILES["default"].cedar + help_)
    assert CedarPolicy({"default": profile}).decide(request).verdict == "allow"


def test_help_for_a_forbid_is_an_exception_that_really_excepts(policy: CedarPolicy) -> None:
    """No permit lifts a forbid, so the help is the `unless` to put into it."""
    decision = policy.decide(call("L3"))
    exception = decision.help.splitlines()[-1]
    assert exception.startswith("unless {")
    assert "`approver` may approve" in decision.help
    text = PROFILES["default"].cedar
    start = text.index('@id("privileged-needs-approval")')
    end = text.index(";", start)
    opened = CedarPolicy(
        {"default": replace(PROFILES["default"], cedar=f"{text[:end]}\n{exception}{text[end:]}")}
    )
    assert opened.decide(call("L3")).verdict == "allow"
    assert opened.decide(call("L3", resource="wire")).verdict == "needs_approval"


def test_an_added_permit_cannot_lift_the_need_for_approval() -> None:
    """What a pack permits stays under the profile's forbids."""
    text = PROFILES["default"].cedar + '\n@id("all") permit (principal, action, resource);'
    policy = CedarPolicy({"default": replace(PROFILES["default"], cedar=text)})
    assert policy.decide(call("L3")).verdict == "needs_approval"


def test_a_policy_that_fails_to_evaluate_denies() -> None:
    """Cedar skips a failing forbid, which would let the call through."""
    policy = policy_of(
        '@id("all") permit (principal, action, resource);\n'
        '@id("sum") forbid (principal, action, resource)\n'
        "when { context.args has amount && context.args.amount * 4 > 100 };"
    )
    assert policy.decide(call(profile="p", context={"amount": 5})).verdict == "allow"
    assert policy.decide(call(profile="p", context={"amount": 50})).policies == ("sum",)
    overflow = policy.decide(call(profile="p", context={"amount": 2**62}))
    assert overflow.verdict == "deny"
    assert "the answer is no" in overflow.reason


def test_an_exception_in_the_engine_denies(policy: CedarPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever happens inside, the caller gets a refusal; and it is not remembered."""

    def broken(*_: object) -> None:
        raise RuntimeError("boom")

    with monkeypatch.context() as patch:
        patch.setattr(module, "is_authorized", broken)
        decision = policy.decide(call())
        assert decision.verdict == "deny"
        assert "RuntimeError: boom" in decision.reason
    assert policy.decide(call()).verdict == "allow"


def test_no_decision_denies(policy: CedarPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cedar's third answer is a no."""
    result = is_authorized({"principal": "nonsense", "action": "x", "resource": "y"}, "", [])
    monkeypatch.setattr(module, "is_authorized", lambda *_: result)
    assert policy.decide(call()).verdict == "deny"


def test_every_question_conforms_to_the_schema(policy: CedarPolicy) -> None:
    """Decisions skip Cedar's check of each request for speed, since what is built here always passes it."""
    loaded = policy._loaded["default"]
    for action, type_ in RESOURCE_TYPES.items():
        facts = {"risk": "L2", "tenant_id": "acme", "tags": ("a", "b")}
        context = {"requester_is_approver": False, "amount": 1, "count": 2}
        for who in (AGENT, Principal("acme", "anna", ("approver", "clerk"))):
            if action in ("approve", "edit_definition") and who.agent:
                continue
            named = "agent/x" if action == "edit_definition" else "x"
            request = PolicyRequest(who, action, named, facts, Labels(True, "secret"), {}, context)  # type: ignore[arg-type]
            asked = question(request, ("approver",))
            assert asked.resource["type"] == type_
            result = is_authorized(
                asked.asked(approved=False), loaded.policies, policy._principal(asked.entities), schema()
            )
            assert result.decision.value in {"Allow", "Deny"}, (action, result.diagnostics.errors)


def test_an_agent_does_not_gain_its_actors_rights() -> None:
    """Roles of the actor are in the context; only people are `in` their roles."""
    policy = policy_of('@id("r") permit (principal in Role::"clerk", action, resource);')
    assert policy.decide(call(profile="p")).verdict == "deny"
    assert policy.decide(call(profile="p", principal=replace(AGENT, agent=""))).verdict == "allow"


def test_the_version_covers_every_field() -> None:
    """An approval is bound to it, so nothing that matters may change under the same version."""
    profile = PROFILES["default"]
    changed = [
        replace(profile, quorum=2),
        replace(profile, redact=()),
        replace(profile, cedar=profile.cedar + " "),
    ]
    assert len({profile_digest(p) for p in [profile, *changed]}) == 4
    assert (
        CedarPolicy({"default": replace(profile, digest="lie")}).profile("default").digest == profile.digest
    )


@pytest.mark.parametrize(
    "cedar", ["permit (", '@id("x") permit (principal, action, resource) when { context.nope };']
)
def test_a_text_that_is_not_valid_is_refused_at_construction(cedar: str) -> None:
    """Not at the first decision."""
    with pytest.raises(ConfigError) as raised:
        policy_of(cedar)
    assert raised.value.code == "E220"


def test_memory_is_bounded() -> None:
    """Recent values stay, old ones go."""
    recent: Recent[int, int] = Recent(10)
    for n in range(1000):
        recent.put(n, n)
        assert recent.get(0 if n < 5 else n) is not None
    assert len(recent) <= 20
    assert recent.get(999) == 999
    assert recent.get(0) is None
