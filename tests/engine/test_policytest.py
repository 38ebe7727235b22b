"""Policy tests from files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from remit.adapters.policy.cedar import CedarPolicy
from remit.adapters.policy.files import load_profiles
from remit.core.errors import InputError
from remit.engine import policytest
from remit.engine.policytest import explain, load_cases, report, run_cases

POLICY = CedarPolicy(load_profiles())


def test_the_case_in_the_docstring_passes(tmp_path: Path) -> None:
    """What the documentation shows is what works."""
    doc = policytest.__doc__ or ""
    path = tmp_path / "cases.toml"
    path.write_text(doc[doc.index("[[case]]") :])
    (result,) = run_cases(POLICY, load_cases(path))
    assert result.passed, result.problem


def test_results_say_what_passed_and_why_the_rest_did_not(tmp_path: Path) -> None:
    """JSON as a list; a case a line, and the reason under each failure."""
    who = {"tenant_id": "acme", "actor_id": "mia", "agent": "payer"}
    base = {"principal": who, "action": "call_tool", "resource": "wire", "resource_attrs": {"risk": "L3"}}
    cases = [
        {**base, "expect": "needs_approval", "policies": ["privileged-needs-approval"]},
        {**base, "expect": "allow", "name": "wrong verdict"},
        {**base, "expect": "needs_approval", "policies": ["other"], "name": "wrong policy"},
        {**base, "expect": "allow", "profile": "nope", "name": "wrong profile"},
    ]
    path = tmp_path / "cases.json"
    path.write_text(json.dumps(cases))
    results = run_cases(POLICY, load_cases(path))
    assert [result.passed for result in results] == [True, False, False, False]
    text = report(results)
    assert "pass  payer call_tool wire" in text
    assert "expected `allow`, got `needs_approval`" in text
    assert "expected to be decided by other, was by privileged-needs-approval" in text
    assert "there is no policy profile `nope`" in text
    assert text.endswith("1 of 4 cases pass")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.toml", "x = ", "cannot be read"),
        ("a.json", "{", "cannot be read"),
        ("a.yaml", "a: 1", "must end in `.toml` or `.json`"),
        ("a.toml", "", "holds no cases"),
        ("a.json", '[{"action": "fly"}, {"expect": "perhaps"}]', "case 2 of"),
        ("a.toml", '[[case]]\naction = "approve"\nresource = "x"\nexpect = "deny"', "case 1 of"),
    ],
)
def test_bad_files_are_input_errors(tmp_path: Path, name: str, text: str, words: str) -> None:
    """Each names the file, and every case that is wrong."""
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError) as raised:
        load_cases(path)
    assert words in raised.value.message
    assert name in raised.value.message


def test_explaining_a_decision() -> None:
    """Verdict, reason, who decided, who may approve, and what would change it."""
    who = {"tenant_id": "acme", "actor_id": "mia", "agent": "payer"}
    case = policytest.convert(
        {
            "principal": who,
            "action": "call_tool",
            "resource": "wire",
            "expect": "deny",
            "resource_attrs": {"risk": "L3"},
        },
        policytest.PolicyCase,
    )
    text = explain(POLICY.decide(case.request))
    assert text.startswith(
        "needs approval: agent `payer` may not `call_tool` on `wire` until approved by `approver`"
    )
    assert "decided by: privileged-needs-approval" in text
    assert "approval: 1 person with role approver, within 86400 seconds" in text
    assert "policy version: sha256:" in text
    assert "unless { principal ==" in text
