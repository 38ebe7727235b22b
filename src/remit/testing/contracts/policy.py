"""What every `Policy` must do, as tests. Subclass `PolicyContract`, override the fixture `policy`, run pytest.

    class TestMine(PolicyContract):
        @pytest.fixture
        def policy(self):
            return MyPolicy(...)

The fixture loads the packaged profiles `default` and `strict`, or profiles that mean the same.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from remit.core.errors import ConfigError
from remit.core.policy import ActionName, PolicyRequest, Principal
from remit.core.provenance import Labels
from remit.ports.policy import Policy

AGENT = Principal("acme", "mia", ("clerk",), "payer")
ANNA = Principal("acme", "anna", ("approver",))


def call(risk: str = "L0", **changes: Any) -> PolicyRequest:
    """A tool call by the agent `payer` for `mia` of `acme`."""
    attrs = {"risk": risk, "effect": "keyed", "outward": True}
    return replace(PolicyRequest(AGENT, "call_tool", "refund", attrs), **changes)


def approval(principal: Principal = ANNA, **changes: Any) -> PolicyRequest:
    """A person's wish to approve a call of `refund` in `acme` that somebody else asked for."""
    facts: dict[str, Any] = {"risk": "L3", "tenant_id": "acme"}
    return replace(
        PolicyRequest(principal, "approve", "refund", facts, context={"requester_is_approver": False}),
        **changes,
    )


class PolicyContract:
    """The contract of the port `Policy`."""

    @pytest.fixture
    def policy(self) -> Policy:
        """The policy under test."""
        raise NotImplementedError("override the fixture `policy`")

    def test_profiles_are_listed_and_found(self, policy: Policy) -> None:
        """`profiles()` names what `profile()` finds, and each has a digest."""
        assert {"default", "strict"} <= set(policy.profiles())
        digests = {policy.profile(name).digest for name in policy.profiles()}
        assert len(digests) == len(policy.profiles())
        assert "" not in digests

    def test_an_unknown_profile_is_an_error_that_lists_the_known_ones(self, policy: Policy) -> None:
        """A typo in a profile's name is told, never decided."""
        with pytest.raises(ConfigError) as raised:
            policy.profile("nope")
        assert "default" in raised.value.help
        with pytest.raises(ConfigError):
            policy.decide(call(profile="nope"))

    @pytest.mark.parametrize(
        ("risk", "verdict"), [("L0", "allow"), ("L1", "allow"), ("L2", "allow"), ("L3", "needs_approval")]
    )
    def test_risk_tiers(self, policy: Policy, risk: str, verdict: str) -> None:
        """By default reads and writes run, and privileged calls wait for a person."""
        assert policy.decide(call(risk)).verdict == verdict

    def test_denied_but_allowed_with_approval_needs_approval(self, policy: Policy) -> None:
        """The same call is allowed once it is approved."""
        assert policy.decide(call("L3")).verdict == "needs_approval"
        assert policy.decide(call("L3", context={"approved": True})).verdict == "allow"

    def test_a_decision_carries_its_reasons(self, policy: Policy) -> None:
        """Who decided, why, under which version, and who may approve within which time."""
        decision = policy.decide(call("L3"))
        profile = policy.profile("default")
        assert decision.policies
        assert "refund" in decision.reason
        assert decision.help
        assert decision.policy_version == profile.digest
        assert decision.approver_roles == profile.approver_roles
        assert (decision.quorum, decision.expires_s) == (profile.quorum, profile.approval_expires_s)

    def test_equal_requests_get_equal_decisions(self, policy: Policy) -> None:
        """Deciding is a function of the request."""
        assert policy.decide(call("L2")) == policy.decide(call("L2"))

    def test_true_and_one_are_different_requests(self, policy: Policy) -> None:
        """`approved = 1` is mistyped, also right after `approved = true` was allowed."""
        assert policy.decide(call("L3", context={"approved": True})).verdict == "allow"
        assert policy.decide(call("L3", context={"approved": 1})).verdict == "deny"

    @pytest.mark.parametrize(
        "changes",
        [
            {"action": "destroy"},
            {"resource": ""},
            {"principal": Principal("", "mia", (), "payer")},
            {"principal": Principal("acme", "mia", (7,), "payer")},  # type: ignore[arg-type]
            {"resource_attrs": {}},
            {"resource_attrs": {"risk": "L9"}},
            {"resource_attrs": {"risk": True}},
            {"resource_attrs": {"risk": "L0", "outward": "no"}},
            {"resource_attrs": {"risk": "L0", "tags": "crm"}},
            {"resource_attrs": None},
            {"labels": Labels(False, "cosmic")},  # type: ignore[arg-type]
            {"labels": None},
            {"context": {"approved": "yes"}},
            {"context": {"roles": ["approver"]}},
            {"context": {"amount": 12.5}},
            {"context": {"amount": 2**63}},
            {"context": {"count": True}},
            {"context": {"amount": float("nan")}},
            {"context": None},
        ],
    )
    def test_what_cannot_be_answered_is_denied_and_says_so(
        self, policy: Policy, changes: dict[str, Any]
    ) -> None:
        """Fail closed: nothing malformed is allowed, and nothing raises."""
        decision = policy.decide(call(**changes))
        assert decision.verdict == "deny"
        assert "the answer is no" in decision.reason

    @pytest.mark.parametrize(
        ("action", "context"),
        [("use_model", {}), ("write_memory", {}), ("publish", {}), ("hand_off", {"declared": True})],
    )
    def test_other_actions(self, policy: Policy, action: ActionName, context: dict[str, Any]) -> None:
        """Agents use models, write memory, publish and hand off to declared delegates, within their tenant."""
        request = PolicyRequest(AGENT, action, "thing", context=context)
        assert policy.decide(request).verdict == "allow"
        assert policy.decide(replace(request, resource_attrs={"tenant_id": "acme"})).verdict == "allow"
        assert policy.decide(replace(request, resource_attrs={"tenant_id": "evil"})).verdict == "deny"

    def test_hand_offs_go_to_declared_delegates_only(self, policy: Policy) -> None:
        """An agent cannot hand off to whom its author did not name."""
        assert policy.decide(PolicyRequest(AGENT, "hand_off", "stranger")).verdict == "deny"

    def test_only_known_actors_start_runs(self, policy: Policy) -> None:
        """Anybody who is somebody may start a run."""
        assert policy.decide(PolicyRequest(Principal("acme", "mia"), "start_run", "payer")).verdict == "allow"
        assert policy.decide(PolicyRequest(Principal("acme", ""), "start_run", "payer")).verdict == "deny"

    def test_approvers_approve(self, policy: Policy) -> None:
        """Somebody with an approver role may approve what another asked for."""
        assert policy.decide(approval()).verdict == "allow"

    @pytest.mark.parametrize(
        "changes",
        [
            {"context": {"requester_is_approver": True}},
            {"context": {"requester_is_approver": True, "approved": True}},
            {"context": {}},
            {"resource_attrs": {"risk": "L3", "tenant_id": "evil"}},
            {"resource_attrs": {"risk": "L3"}},
            {"principal": Principal("acme", "mia", ("clerk",))},
            {"principal": Principal("acme", "", ("approver",))},
            {"principal": Principal("acme", "anna", ("approver",), "payer")},
            {"principal": Principal("acme", "approver")},
            {"principal": Principal("acme", 'x" in Role::"approver', ('approver"',))},
            {"principal": Principal("acme", "mia", ("Approver", " approver", "approver\n"))},
        ],
    )
    def test_nobody_else_approves(self, policy: Policy, changes: dict[str, Any]) -> None:
        """Not the requester, another tenant, somebody without the role, a forged role, or any agent."""
        assert policy.decide(approval(**changes)).verdict == "deny"

    def test_a_profile_that_is_data_is_asked_by_the_name_it_was_given(self, policy: Policy) -> None:
        """It stands beside those loaded, also beside one of its own name; the same again has the same name."""
        stop = '@id("stop") forbid (principal, action == Action::"call_tool", resource);'
        name = policy.add("default", {"extends": "default", "quorum": 2}, stop)
        assert policy.add("default", {"extends": "default", "quorum": 2}, stop) == name
        assert (policy.profile(name).name, policy.profile(name).quorum) == ("default", 2)
        decision = policy.decide(call(profile=name))
        assert (decision.verdict, decision.policies) == ("deny", ("stop",))
        assert decision.policy_version == policy.profile(name).digest
        assert policy.decide(call()).verdict == "allow"
        assert name not in policy.profiles()
        alone = policy.add("default", {}, stop)
        assert policy.decide(call("L0", action="use_model", profile=alone)).verdict == "deny"

    @pytest.mark.parametrize(
        ("fields", "cedar"),
        [
            ({}, "permit ("),
            ({"extends": "nobody"}, ""),
            ({"name": "x"}, ""),
            ({"quorum": "many"}, ""),
            ({"budget": {"max_cost_usd": "-1"}}, ""),
        ],
    )
    def test_a_profile_that_is_wrong_is_not_taken_in(
        self, policy: Policy, fields: dict[str, Any], cedar: str
    ) -> None:
        """As one in a folder would not be."""
        with pytest.raises(ConfigError) as raised:
            policy.add("mine", fields, cedar)
        assert raised.value.code == "E220"

    def test_people_edit_definitions_and_agents_never(self, policy: Policy) -> None:
        """Whoever is known may, unless a profile says otherwise."""
        edit = PolicyRequest(Principal("acme", "anna"), "edit_definition", "agent/x", {"tags": ("edit",)})
        assert policy.decide(edit).verdict == "allow"
        assert policy.decide(replace(edit, principal=Principal("acme", ""))).verdict == "deny"
        assert policy.decide(replace(edit, principal=AGENT)).verdict == "deny"
        assert policy.decide(replace(edit, resource="agent")).verdict == "deny"
        kept = '@id("kept") forbid (principal, action, resource in Kind::"agent");'
        name = policy.add("kept", {"extends": "default"}, kept)
        assert policy.decide(replace(edit, profile=name)).policies == ("kept",)
        assert policy.decide(replace(edit, profile=name, resource="prompt/x")).verdict == "allow"
