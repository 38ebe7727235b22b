"""Opening the guardrail that every model's texts pass."""

from __future__ import annotations

from pathlib import Path

from remit.core.errors import ConfigError
from remit.ports.clock import Clock
from remit.ports.guardrail import Guardrail
from remit.ports.secrets import Secrets
from remit.settings import Settings


def open_guardrail(settings: Settings, secrets: Secrets, clock: Clock) -> Guardrail | None:
    """The guardrail of the file that settings name, if they do. Raises ConfigError E973.

    Topics by example are compared by the model of embeddings that documents have.
    """
    if not settings.guardrails:
        return None
    from remit.adapters.guardrail.local import LocalGuardrail
    from remit.core.guardrail import parse_guardrail

    path = Path(settings.guardrails)
    try:
        spec = parse_guardrail(path.read_text("utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the guardrails file `{path}` cannot be read ({type(error).__name__})",
            code="E973",
            help="set `guardrails` in remit.toml to a TOML file",
        ) from error
    if not any(topic.examples for topic in spec.topics):
        return LocalGuardrail(spec)
    from remit.bootstrap.documents import open_embeddings
    from remit.engine.embedding import Patient

    return LocalGuardrail(spec, Patient(open_embeddings(settings, secrets), clock))
