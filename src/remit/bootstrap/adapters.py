"""Opening the adapters that settings name; vendors are imported when they are first needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from remit.adapters.model.rules import RulesModel
from remit.adapters.objects.files import FileObjectStore
from remit.adapters.telemetry.many import ManyTelemetry
from remit.adapters.telemetry.prometheus import PrometheusTelemetry
from remit.core.errors import ConfigError
from remit.core.message import Message
from remit.engine.models import ModelAccess, Route, default_prices
from remit.engine.notifications import Channels
from remit.ports.clock import Clock
from remit.ports.model import Model, ModelRequest
from remit.ports.notifier import Channel
from remit.ports.objects import ObjectStore
from remit.ports.secrets import Secrets
from remit.ports.store import Store
from remit.ports.telemetry import Telemetry
from remit.sdk import Pack, Rule
from remit.settings import ModelRoute, Settings

Adapters = Mapping[str, Model | Callable[[], Model]]


def open_store(settings: Settings, clock: Clock) -> Store:
    """The store that a URL names. Raises ConfigError for an unknown scheme."""
    url = settings.store
    scheme = url.split(":", 1)[0]
    if scheme == "memory":
        from remit.adapters.store.memory import MemoryStore

        return MemoryStore(clock)
    if scheme == "sqlite":
        from remit.adapters.store.sqlite import SqliteStore

        path = Path(url.removeprefix("sqlite:///"))
        path.parent.mkdir(parents=True, exist_ok=True)
        return SqliteStore(path, clock, durability=settings.durability)
    if scheme in ("postgres", "postgresql"):
        from remit.adapters.store.postgres import PostgresStore

        return PostgresStore(url, clock)
    raise ConfigError(
        f"`{url}` names no store",
        code="E204",
        help="use sqlite:///PATH, postgresql://... or memory: in REMIT_STORE",
    )


def open_models(
    settings: Settings, packs: Sequence[Pack], clock: Clock, adapters: Adapters, routes: Mapping[str, Route]
) -> ModelAccess:
    """Model access: the configured routes, and `default` by the offline rules when nothing else is set."""
    configured = {name: _route(r) for name, r in settings.models.items()}
    if settings.model:
        provider, _, model = settings.model.partition(":")
        configured["default"] = Route(provider, model)
    configured.update(routes)
    configured.setdefault("default", Route("rules", "rules"))
    return ModelAccess(configured, {**vendors(settings, packs), **adapters}, default_prices(), clock)


def _route(route: ModelRoute) -> Route:
    return Route(route.provider, route.model, route.fallbacks, route.max_tokens, route.timeout_s)


def vendors(settings: Settings, packs: Sequence[Pack]) -> dict[str, Model | Callable[[], Model]]:
    """Every model provider by name, built when first asked."""

    def bedrock() -> Model:
        from remit.adapters.model.bedrock import BedrockModel

        return BedrockModel(
            region=settings.region,
            profile_override=settings.bedrock_model_id,
            endpoint_url=settings.bedrock_endpoint or None,
        )

    def anthropic() -> Model:
        from remit.adapters.model.anthropic import AnthropicModel

        key, url = settings.anthropic_api_key, settings.anthropic_base_url
        return AnthropicModel(api_key=key, base_url=url) if url else AnthropicModel(api_key=key)

    def openai() -> Model:
        from remit.adapters.model.openai import OpenAIModel

        return OpenAIModel(api_key=settings.openai_api_key, base_url=settings.openai_base_url)

    return {"rules": RulesModel(_rules(packs)), "bedrock": bedrock, "anthropic": anthropic, "openai": openai}


def _rules(packs: Sequence[Pack]) -> list[Rule]:
    """Every pack's rules, each answering only for the agent it belongs to."""

    def only_for(instructions: str, rule: Rule) -> Rule:
        def guarded(request: ModelRequest) -> Message | None:
            return rule(request) if request.system == instructions else None

        return guarded

    by_name = {a.spec.name: a.spec.instructions for pack in packs for a in pack.agents}
    return [
        only_for(by_name[agent], rule)
        for pack in packs
        for agent, rules in pack.rules.items()
        for rule in rules
        if agent in by_name
    ]


def open_telemetry(settings: Settings) -> Telemetry:
    """The Prometheus registry, and OpenTelemetry beside it when it is switched on."""
    prometheus = PrometheusTelemetry()
    if not settings.otel:
        return prometheus
    from remit.adapters.telemetry.otel import exporting

    return ManyTelemetry(prometheus, exporting("remit", "0.1.0"))


def open_objects(settings: Settings) -> ObjectStore:
    """The store of objects that the settings name."""
    chosen = settings.workflow
    if chosen.objects == "s3":
        from remit.adapters.objects.s3 import S3ObjectStore

        tenants = frozenset(chosen.aws_tenants)
        return S3ObjectStore(region=settings.region, endpoint_url=settings.aws_endpoint, tenants=tenants)
    return FileObjectStore(settings.home / "objects", Path(chosen.files) if chosen.files else None)


def open_channels(settings: Settings, secrets: Secrets, clock: Clock) -> Channels:
    """The ways to reach people, each built when first needed."""

    def email() -> Channel:
        from remit.adapters.notify.smtp import SmtpChannel, mail_server

        return SmtpChannel(mail_server(settings.smtp_url), lambda: secrets.get("smtp_password"))

    def slack() -> Channel:
        from remit.adapters.notify.http import Poster
        from remit.adapters.notify.slack import SlackChannel

        return SlackChannel(Poster(private=settings.notify_private))

    def webhook() -> Channel:
        from remit.adapters.notify.http import Poster
        from remit.adapters.notify.webhook import WebhookChannel

        return WebhookChannel(Poster(private=settings.notify_private), clock)

    return {"email": email, "slack": slack, "webhook": webhook}
