"""Policy tests: cases in a file, each a question and the verdict it must get.

[[case]]                                  # TOML; the same as JSON: {"case": [{...}]} or just the list
name = "wires need approval"              # optional
principal = { tenant_id = "acme", actor_id = "mia", roles = ["clerk"], agent = "payer" }
action = "call_tool"
resource = "wire"
resource_attrs = { risk = "L3", outward = true }
labels = { untrusted = true, sensitivity = "internal" }
context = { over_limit = false }
expect = "needs_approval"
policies = ["privileged-needs-approval"]  # optional: who must have decided
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from remit.core.codec import convert
from remit.core.errors import InputError, RemitError
from remit.core.policy import ActionName, Decision, PolicyRequest, Principal, Verdict
from remit.core.provenance import Labels
from remit.ports.policy import Policy


class PolicyCase(Struct, frozen=True, forbid_unknown_fields=True):
    """One question and the verdict it must get; `policies`, when given, are the `@id`s that must decide."""

    principal: Principal
    action: ActionName
    resource: str
    expect: Verdict
    name: str = ""
    resource_attrs: dict[str, Any] = {}
    labels: Labels = Labels()
    arguments: dict[str, Any] = {}
    context: dict[str, Any] = {}
    profile: str = "default"
    policies: tuple[str, ...] | None = None

    @property
    def request(self) -> PolicyRequest:
        """The question."""
        return PolicyRequest(
            self.principal,
            self.action,
            self.resource,
            self.resource_attrs,
            self.labels,
            self.arguments,
            self.context,
            self.profile,
        )

    @property
    def title(self) -> str:
        """The case's name, or what it asks."""
        who = self.principal.agent or self.principal.actor_id
        return self.name or f"{who} {self.action} {self.resource}"


class CaseResult(Struct, frozen=True):
    """How a case went. `problem` is empty when it passed."""

    case: PolicyCase
    decision: Decision | None
    problem: str = ""

    @property
    def passed(self) -> bool:
        """Whether the verdict, and the deciding policies if any were named, are as expected."""
        return not self.problem


def load_cases(path: Path | str) -> tuple[PolicyCase, ...]:
    """The cases of a `.toml` or `.json` file. Raises InputError E130 that names the file and every bad case."""
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f"there is no file `{path}`", code="E130", help="name a file of cases, or a folder with some"
        )
    try:
        data: Any = _parse(path)
    except (OSError, ValueError) as error:
        raise InputError(f"the cases in `{path}` cannot be read: {error}", code="E130") from error
    rows = data.get("case") if isinstance(data, dict) else data
    if not isinstance(rows, list) or not rows:
        raise InputError(f"`{path}` holds no cases", code="E130", help="write one `[[case]]` or more")
    cases, problems = [], []
    for number, row in enumerate(rows, 1):
        try:
            cases.append(convert(row, PolicyCase))
        except InputError as error:
            problems.append(f"case {number} of `{path}` is {error.message}")
    if problems:
        raise InputError("\n".join(problems), code="E130", help="the docstring of `policytest` shows a case")
    return tuple(cases)


def run_cases(policy: Policy, cases: Iterable[PolicyCase]) -> tuple[CaseResult, ...]:
    """Every case's result, in order. A case that cannot be asked fails; the others still run."""
    return tuple(_run(policy, case) for case in cases)


def report(results: Iterable[CaseResult]) -> str:
    """The results as lines for a terminal: a line a case, the reason under each failure, and the count."""
    lines, passed, total = [], 0, 0
    for result in results:
        total += 1
        passed += result.passed
        lines.append(f"{'pass' if result.passed else 'FAIL'}  {result.case.title}")
        if not result.passed:
            lines.append(f"      {result.problem}")
            if result.decision is not None:
                lines.extend("      " + line for line in explain(result.decision).splitlines())
    lines.append(f"{passed} of {total} cases pass")
    return "\n".join(lines)


def explain(decision: Decision) -> str:
    """A decision as text: verdict, reason, who decided, who could approve, and what would change it."""
    words = {"allow": "allow", "deny": "deny", "needs_approval": "needs approval"}
    lines = [f"{words[decision.verdict]}: {decision.reason}"]
    if decision.policies:
        lines.append(f"decided by: {', '.join(decision.policies)}")
    if decision.verdict == "needs_approval":
        people = "1 person" if decision.quorum == 1 else f"{decision.quorum} people"
        roles = " or ".join(decision.approver_roles) or "no role at all"
        lines.append(f"approval: {people} with role {roles}, within {decision.expires_s:g} seconds")
    lines.append(f"policy version: {decision.policy_version}")
    if decision.help:
        lines += ["", decision.help.rstrip("\n")]
    return "\n".join(lines)


def _parse(path: Path) -> Any:
    if path.suffix == ".json":
        return msgspec.json.decode(path.read_bytes())
    if path.suffix == ".toml":
        return tomllib.loads(path.read_text("utf-8"))
    raise ValueError("its name must end in `.toml` or `.json`")


def _run(policy: Policy, case: PolicyCase) -> CaseResult:
    try:
        decision = policy.decide(case.request)
    except RemitError as error:
        return CaseResult(case, None, error.message)
    if decision.verdict != case.expect:
        return CaseResult(case, decision, f"expected `{case.expect}`, got `{decision.verdict}`")
    if case.policies is not None and set(case.policies) != set(decision.policies):
        wanted, got = ", ".join(case.policies) or "none", ", ".join(decision.policies) or "none"
        return CaseResult(case, decision, f"expected to be decided by {wanted}, was by {got}")
    return CaseResult(case, decision)
