"""What is kept out of journals and logs: the secrets that are known, and personal data as a policy's profile says."""

from __future__ import annotations

from collections.abc import Callable

from remit.adapters.secrets.salt import load_salt, shared_salt
from remit.bootstrap.catalogue import Known
from remit.core.codec import plain
from remit.core.errors import ConfigError
from remit.core.redaction import Redactor
from remit.ports.agents import Agent, Tool
from remit.ports.policy import Policy
from remit.ports.secrets import Secrets
from remit.settings import Settings


def known_secrets(secrets: Secrets, settings: Settings) -> Callable[[], tuple[str, ...]]:
    """The secrets handed out by now and the keys of models; the same object while there is no new one."""
    keys = tuple(key for key in (settings.openai_api_key, settings.anthropic_api_key) if key)
    handed_out: tuple[str, ...] = ()
    every = keys

    def known() -> tuple[str, ...]:
        nonlocal handed_out, every
        now = secrets.known()
        if now is not handed_out:
            handed_out, every = now, (*now, *keys)
        return every

    return known


def check_definitions(catalogue: Known, secrets: Secrets, settings: Settings) -> None:
    """Instructions and descriptions go into prompts and journals as they are, so no secret may stand in them. Raises ConfigError E249."""
    redactor = Redactor(known_secrets(secrets, settings)(), ())
    things: list[Agent | Tool] = [*catalogue.agents.values(), *catalogue.tools.values()]
    for thing in things:
        given = plain(thing.spec)
        if redactor.value(given) is not given:
            raise ConfigError(
                f"the definition of `{thing.spec.name}` holds a secret, and would carry it into prompts and journals",
                code="E249",
                help="take it out; a tool reads secrets from its context: `context.secrets`",
            )


def open_redactors(policy: Policy, secrets: Secrets, settings: Settings) -> Callable[[str], Redactor]:
    """The redactor of a policy profile, by its name."""
    known = known_secrets(secrets, settings)
    made: dict[tuple[str, ...], Redactor] = {}
    own = settings.secrets_from == "env"
    salt = load_salt(settings.home / "redaction.salt") if own else shared_salt(secrets)

    def of(profile: str) -> Redactor:
        kinds = policy.profile(profile).redact
        if kinds not in made:
            made[kinds] = Redactor(known, kinds, salt=salt)
        return made[kinds]

    return of
