"""Policy by Cedar, in this process (cedarpy)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from cedarpy import Decision as CedarDecision
from cedarpy import Entities, PolicySet, is_authorized
from msgspec.structs import replace

from remit.adapters.policy import wording
from remit.adapters.policy.checks import check, schema, schema_text
from remit.adapters.policy.data import profile_of
from remit.adapters.policy.question import Question, Unanswerable, key_of, question
from remit.adapters.policy.recent import Recent
from remit.core.codec import digest_of
from remit.core.errors import ConfigError
from remit.core.policy import Decision, PolicyMistake, PolicyRequest, Profile, Verdict

_ADDED = 1024
"""How many profiles that are data are kept ready, at least."""


class _Loaded(NamedTuple):
    profile: Profile
    policies: PolicySet


class _Answer(NamedTuple):
    allowed: bool
    policies: tuple[str, ...]


class CedarPolicy:
    """Answers from parsed policy sets: no I/O and no parsing after construction, and each answer is remembered.

    Safe to share between threads. Cedar's answer counts only when it is a plain Allow without evaluation errors:
    Cedar skips a policy that fails, so a failing forbid would otherwise let a call through.
    """

    def __init__(self, profiles: Mapping[str, Profile], *, cache_size: int = 4096) -> None:
        """`cache_size` bounds the remembered decisions. Raises ConfigError E220 for a text that is not valid."""
        self._loaded = {name: _load(name, profile) for name, profile in profiles.items()}
        self._added: Recent[str, _Loaded] = Recent(_ADDED)
        self._decisions: Recent[bytes, Decision] = Recent(cache_size)
        self._entities: Recent[bytes, Entities] = Recent(cache_size)

    def decide(self, request: PolicyRequest) -> Decision:
        """The decision with reasons; anything but a clear yes is a refusal. Raises ConfigError for an unknown profile."""
        loaded = self._load_of(request.profile)
        try:
            key = key_of(request)
            known = self._decisions.get(key)
            if known is not None:
                return known
            decision = self._fresh(request, loaded)
            self._decisions.put(key, decision)
            return decision
        except Unanswerable as error:
            return _decision(loaded.profile, "deny", (), wording.unanswerable(str(error)), _HELP)
        except Exception as error:
            # Fail closed: whatever went wrong, the caller gets a refusal that says so.
            why = f"{type(error).__name__}: {str(error)[:200]}"
            return _decision(loaded.profile, "deny", (), wording.unanswerable(why), _HELP)

    def profile(self, name: str) -> Profile:
        """A loaded profile. Raises ConfigError that lists the known ones."""
        return self._load_of(name).profile

    def profiles(self) -> tuple[str, ...]:
        """Names of the loaded profiles."""
        return tuple(sorted(self._loaded))

    def check(self, cedar: str) -> tuple[PolicyMistake, ...]:
        """Everything wrong with a text of policies, in order."""
        return tuple(check(cedar)[0])

    def check_profile(self, fields: Mapping[str, Any], cedar: str) -> None:
        """Raise ConfigError E220 that lists what is wrong."""
        profile_of("checked", fields, cedar, self._bases())

    def schema(self) -> str:
        """The packaged Cedar schema."""
        return schema_text()

    def add(self, name: str, fields: Mapping[str, Any], cedar: str) -> str:
        """Take in a profile that is data; returns what it is asked by. Raises ConfigError E220 that lists what is wrong."""
        # The whole digest: what one tenant wrote must never pass for what another did.
        key = f"{name}@{digest_of([fields, cedar])}"
        if self._added.get(key) is None:
            self._added.put(key, _load(name, profile_of(name, fields, cedar, self._bases())))
        return key

    def _bases(self) -> dict[str, Profile]:
        """The profiles that one which is data may extend."""
        return {known: loaded.profile for known, loaded in self._loaded.items()}

    def _load_of(self, name: str) -> _Loaded:
        try:
            return self._loaded.get(name) or self._added[name]
        except (KeyError, TypeError):
            known = ", ".join(f"`{known}`" for known in self.profiles()) or "none"
            raise ConfigError(
                f"there is no policy profile `{name}`", code="E221", help=f"known profiles: {known}"
            ) from None

    def _fresh(self, request: PolicyRequest, loaded: _Loaded) -> Decision:
        profile = loaded.profile
        asked = question(request, profile.approver_roles)
        first = self._ask(asked, loaded.policies, approved=asked.context["approved"])
        if first.allowed:
            return _decision(profile, "allow", first.policies, wording.allowed(request, first.policies))
        if not asked.context["approved"]:
            second = self._ask(asked, loaded.policies, approved=True)
            if second.allowed:
                names = first.policies or second.policies
                reason = wording.needs_approval(request, names, profile)
                return _decision(
                    profile, "needs_approval", names, reason, _help(request, first, profile, approval=True)
                )
        reason = wording.denied(request, first.policies, profile)
        return _decision(
            profile, "deny", first.policies, reason, _help(request, first, profile, approval=False)
        )

    def _ask(self, asked: Question, policies: PolicySet, *, approved: bool) -> _Answer:
        """Cedar's answer. Raises Unanswerable when there is none, or when any policy failed to evaluate."""
        result = is_authorized(asked.asked(approved=approved), policies, self._principal(asked.entities))
        found = result.diagnostics
        if found.errors:
            raise Unanswerable(f"{found.errors[0][:200]}")
        if result.decision is CedarDecision.NoDecision:
            raise Unanswerable("Cedar gave no decision")
        named = found.id_annotations_by_reason
        names = tuple(sorted(named.get(position) or position for position in found.reasons))
        return _Answer(result.decision is CedarDecision.Allow, names)

    def _principal(self, entities: bytes) -> Entities:
        known = self._entities.get(entities)
        if known is None:
            known = Entities.from_json_str(entities.decode(), schema())
            self._entities.put(entities, known)
        return known


_HELP = "// give policy a request that its schema allows: see remit/data/policy/remit.cedarschema\n"


def profile_digest(profile: Profile) -> str:
    """The digest over every field of a profile but the digest itself."""
    return digest_of(replace(profile, digest=""))


def _load(name: str, profile: Profile) -> _Loaded:
    if name != profile.name:
        raise ConfigError(f"profile `{profile.name}` is registered as `{name}`", code="E220")
    problems, _ = check(profile.cedar)
    if problems:
        lines = "\n".join(f"profile `{name}`, line {problem.line}: {problem.text}" for problem in problems)
        raise ConfigError(lines, code="E220", help="`remit policy check` shows the same list")
    return _Loaded(replace(profile, digest=profile_digest(profile)), PolicySet.from_str(profile.cedar))


def _help(request: PolicyRequest, first: _Answer, profile: Profile, *, approval: bool) -> str:
    if first.policies:
        return wording.forbid_help(request, first.policies, profile, approval=approval)
    return wording.permit_help(request, profile)


def _decision(
    profile: Profile, verdict: Verdict, policies: tuple[str, ...], reason: str, help: str = ""
) -> Decision:
    return Decision(
        verdict=verdict,
        policies=policies,
        reason=reason,
        help=help,
        policy_version=profile.digest,
        approver_roles=profile.approver_roles,
        quorum=profile.quorum,
        expires_s=profile.approval_expires_s,
    )
