"""Opening the adapters that settings name; vendors are imported when they are first needed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from remit.adapters.archive.files import FileArchive
from remit.adapters.blobs.files import FileBlobs
from remit.adapters.driving.polling import PollingDriver
from remit.adapters.model.rules import RulesModel
from remit.adapters.objects.files import FileObjectStore
from remit.adapters.secrets.mapping import MappingSecrets
from remit.adapters.secrets.minted import MintedSecrets
from remit.adapters.telemetry.many import ManyTelemetry
from remit.adapters.telemetry.prometheus import PrometheusTelemetry
from remit.bootstrap.extensions import Providers, names, opened, scheme_of
from remit.core.errors import ConfigError
from remit.core.message import Message
from remit.engine.bus.local import LocalBus
from remit.engine.bus.portions import MOST_WRITES
from remit.engine.models import ModelAccess, Route, default_prices
from remit.engine.notifications import Channels
from remit.engine.workflows.names import lambdas
from remit.ports.agents import Catalogue
from remit.ports.archive import Archive
from remit.ports.blobs import Blobs
from remit.ports.clock import Clock
from remit.ports.driving import Driver
from remit.ports.machines import Machines
from remit.ports.model import Model, ModelRequest
from remit.ports.notifier import Channel
from remit.ports.objects import ObjectStore
from remit.ports.secrets import Secrets
from remit.ports.store import Store
from remit.ports.telemetry import Telemetry
from remit.sdk import Pack, Rule
from remit.settings import ModelRoute, Settings

if TYPE_CHECKING:
    from remit.adapters.identity.oidc import OpenIdProvider
    from remit.adapters.store.dynamodb import DynamoStore
    from remit.adapters.store.redis import RedisStore

Clients = Callable[..., Any]
Adapters = Mapping[str, Model | Callable[[], Model]]

PROVIDERS = ("bedrock", "anthropic", "openai")
"""Providers of many models, of which a route has to name one."""

TRANSACTION = 90
"""Writes of the bus in one transaction of DynamoDB, which takes a hundred."""


def open_session(settings: Settings) -> Clients:
    """Clients of the AWS account that the settings name, one set for the whole process. Raises ConfigError E695."""
    return shared_session(settings.region, settings.aws_endpoint)


@functools.cache
def shared_session(region: str, endpoint_url: str) -> Clients:
    """The clients of a region, or of an emulator; the first caller makes them."""
    from remit.adapters.aws.session import Session

    return Session(region=region, endpoint_url=endpoint_url)


def open_blobs(settings: Settings) -> Blobs:
    """Where artifacts lie: a folder, or a bucket of S3."""
    if not settings.blobs:
        return FileBlobs(settings.home / "blobs")
    from remit.adapters.blobs.s3 import S3Blobs

    return S3Blobs(open_session(settings), *bucket_of("REMIT_BLOBS", settings.blobs))


def open_machines(settings: Settings, clock: Clock, catalogue: Catalogue) -> Machines | None:
    """The state machines of the deployment, where Step Functions is to move its workflows."""
    if settings.engine == "local":
        return None
    if not settings.deployment:
        raise ConfigError(
            "`REMIT_ENGINE` needs the deployment whose state machines to start",
            code="E205",
            help="set REMIT_DEPLOYMENT",
        )
    from remit.adapters.machines.stepfunctions import StepFunctions

    return StepFunctions(open_session(settings), clock, settings.deployment, lambdas=lambdas(catalogue))


def open_archive(settings: Settings, clock: Clock) -> Archive:
    """Where journals are kept for good: a folder, or a bucket of S3 whose own retention holds."""
    if not settings.archive:
        return FileArchive(settings.home / "archive")
    from remit.adapters.archive.s3 import S3Archive

    return S3Archive(open_session(settings), clock, *bucket_of("REMIT_ARCHIVE", settings.archive))


def bucket_of(name: str, url: str) -> tuple[str, str]:
    """Bucket and prefix of `s3://bucket/prefix`. Raises ConfigError E205."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not bucket:
        raise ConfigError(
            f"`{name}` is `{url}`, which names no bucket", code="E205", help="set it to s3://BUCKET/PREFIX"
        )
    return bucket, prefix


def open_secrets(settings: Settings, clock: Clock) -> Secrets:
    """Where secrets come from: the environment, Secrets Manager or Parameter Store; tokens that are made later are known with them."""
    return MintedSecrets(_open_secrets(settings, clock))


def _open_secrets(settings: Settings, clock: Clock) -> Secrets:
    if settings.secrets_from == "env":
        return MappingSecrets(settings.secrets)
    if not settings.deployment:
        raise ConfigError(
            "`REMIT_SECRETS` needs the deployment whose secrets to read",
            code="E205",
            help="set REMIT_DEPLOYMENT",
        )
    if settings.secrets_from == "secretsmanager":
        from remit.adapters.secrets.secretsmanager import SecretsManagerSecrets

        return SecretsManagerSecrets(open_session(settings), clock, settings.deployment)
    from remit.adapters.secrets.parameters import ParameterSecrets

    return ParameterSecrets(open_session(settings), clock, settings.deployment)


def open_store(settings: Settings, clock: Clock, secrets: Secrets | None = None) -> Store:
    """The store that a URL names, Remit's own or another distribution's. Raises ConfigError for an unknown scheme."""
    url = settings.store
    scheme = scheme_of(url)
    if scheme == "memory":
        from remit.adapters.store.memory import MemoryStore

        return MemoryStore(clock)
    if scheme == "sqlite":
        from remit.adapters.store.sqlite import SqliteStore

        path = Path(url.removeprefix("sqlite:///"))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"folder `{path.parent}` cannot be made: {(error.strerror or str(error)).lower()}",
                code="E1097",
                help="name one that you may write: `--home DIR` or REMIT_HOME for all data, REMIT_STORE for the store alone",
            ) from error
        return SqliteStore(path, clock, durability=settings.durability)
    if scheme in ("postgres", "postgresql"):
        from remit.adapters.store.postgres import PostgresStore

        return PostgresStore(url, clock)
    if scheme in ("redis", "rediss"):
        return open_redis(settings)
    if scheme == "dynamodb":
        return open_dynamodb(settings, clock)
    port: type[Store] = Store  # type: ignore[type-abstract]
    made = opened(
        "remit.stores", scheme, port, url, settings, clock, secrets or open_secrets(settings, clock)
    )
    if made is not None:
        return made
    others = "".join(f"{name}:..., " for name in names("remit.stores"))
    raise ConfigError(
        f"`{url}` names no store",
        code="E204",
        help=f"use sqlite:///PATH, postgresql://..., redis://..., dynamodb://NAME, {others}or memory: in REMIT_STORE",
    )


def open_redis(settings: Settings) -> RedisStore:
    """The store of `redis://...` or, over TLS, `rediss://...`, with the options `prefix`, `durability` and `ca`."""
    from remit.adapters.store.redis import RedisStore

    url, _, query = settings.store.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    prefix, chosen, ca_file = (
        options.pop(name, default)
        for name, default in (("prefix", "remit"), ("durability", "durable"), ("ca", ""))
    )
    if options:
        raise ConfigError(
            f"the URL of the Redis store has an option that there is not: `{', '.join(options)}`",
            code="E204",
            help="there are `prefix`, `durability` and `ca`",
        )
    if chosen not in ("durable", "stated", "relaxed"):
        raise ConfigError(
            f"the durability of the Redis store is `{chosen}`",
            code="E204",
            help="set it to `durable`, `stated` or `relaxed`",
        )
    if chosen == "relaxed" and settings.durability == "full":
        raise ConfigError(
            "`REMIT_DURABILITY` is `full`, and the URL of the Redis store says `durability=relaxed`",
            code="E204",
            help="leave one of them out",
        )
    durability: Any = chosen
    return RedisStore(url, prefix=prefix, durability=durability, ca_file=ca_file)


def open_dynamodb(settings: Settings, clock: Clock) -> DynamoStore:
    """The store of `dynamodb://PREFIX` or, where the tables are a deployment's, `dynamodb://PREFIX?create=no`."""
    from remit.adapters.store.dynamodb import DynamoStore

    prefix, _, options = settings.store.removeprefix("dynamodb:").removeprefix("//").partition("?")
    if options not in ("", "create=no"):
        raise ConfigError(
            f"`{settings.store}` has an option that DynamoDB has not: `{options}`",
            code="E204",
            help="the only one is `create=no`",
        )
    blobs = open_blobs(settings) if settings.blobs else None
    return DynamoStore(clock, open_session(settings), prefix=prefix, create=not options, blobs=blobs)


def open_provider(settings: Settings, secrets: Secrets, clock: Clock) -> OpenIdProvider | None:
    """The OpenID provider that people sign in at; None where there is to be none. Raises ConfigError E1055."""
    if not settings.oidc.issuer:
        return None
    from remit.bootstrap.identity import provider_of

    return provider_of(settings.oidc, secrets, clock)


def open_driver(settings: Settings, coded: Container[str]) -> Driver:
    """The way to whoever advances runs: queues where there is a deployment, else nobody, since workers look for themselves.

    `coded`: the agents of the app's code.
    """
    if not settings.deployment:
        return PollingDriver()
    from remit.adapters.driving.sqs import SqsDriver

    return SqsDriver(open_session(settings), settings.deployment, coded)


def open_bus(
    settings: Settings,
    store: Store,
    clock: Clock,
    owner: str,
    clean: Callable[[str], str],
    telemetry: Telemetry,
    secrets: Secrets,
) -> LocalBus:
    """The bus on the store. On AWS a queue says whose turn it is, and events go out to EventBridge and come in from it; with Kafka, topics."""
    most = TRANSACTION if settings.store.startswith("dynamodb:") else MOST_WRITES
    if settings.bus.startswith("kafka:"):
        from remit.bootstrap.topics import kafka_bus

        return kafka_bus(
            store,
            clock,
            settings,
            secrets,
            owner=owner,
            clean=clean,
            telemetry=telemetry,
            most_writes=most,
        )
    if settings.bus == "local":
        return LocalBus(store, clock, owner=owner, clean=clean, telemetry=telemetry, most_writes=most)
    if not settings.deployment:
        raise ConfigError(
            "`REMIT_BUS` needs the deployment whose queues to use", code="E205", help="set REMIT_DEPLOYMENT"
        )
    from remit.bootstrap.buses import aws_bus

    return aws_bus(
        store,
        clock,
        open_session(settings),
        deployment=settings.deployment,
        owner=owner,
        clean=clean,
        telemetry=telemetry,
        topic=settings.bus == "aws+sns",
        most_writes=most,
    )


def open_models(
    settings: Settings,
    packs: Sequence[Pack],
    clock: Clock,
    secrets: Secrets,
    adapters: Adapters,
    routes: Mapping[str, Route],
) -> ModelAccess:
    """Model access: the configured routes, and `default` by the offline rules when nothing else is set."""
    configured = {name: _route(r) for name, r in settings.models.items()}
    if settings.model:
        provider, _, model = settings.model.partition(":")
        if provider in PROVIDERS and not (model or (provider == "bedrock" and settings.bedrock_model_id)):
            raise ConfigError(
                f"REMIT_MODEL is `{settings.model}`, which names no model",
                code="E1099",
                help=f"name one of the provider's: REMIT_MODEL={provider}:MODEL-ID",
            )
        configured["default"] = Route(provider, model)
    configured.update(routes)
    configured.setdefault("default", Route("rules", "rules"))
    providers = Providers({**vendors(settings, packs, secrets), **adapters}, settings, clock, secrets)
    return ModelAccess(configured, providers, default_prices(), clock, variant=settings.guardrail)


def _route(route: ModelRoute) -> Route:
    kept_s = route.cache_ttl_s if route.cache == "exact" else 0.0
    return Route(
        route.provider, route.model, route.fallbacks, route.max_tokens, route.timeout_s, cache_ttl_s=kept_s
    )


def vendors(
    settings: Settings, packs: Sequence[Pack], secrets: Secrets
) -> dict[str, Model | Callable[[], Model]]:
    """Every model provider by name, built when first asked. Where secrets have a store, keys are secrets as any other."""

    def key(set_: str, name: str) -> str:
        return set_ if set_ or settings.secrets_from == "env" else secrets.get(name)

    def bedrock() -> Model:
        from remit.adapters.model.bedrock import BedrockModel
        from remit.adapters.model.guardrail import guardrail_config

        return BedrockModel(
            region=settings.region,
            profile_override=settings.bedrock_model_id,
            endpoint_url=settings.bedrock_endpoint or None,
            guardrail=guardrail_config(settings.guardrail) if settings.guardrail else None,
        )

    def anthropic() -> Model:
        from remit.adapters.model.anthropic import AnthropicModel

        given, url = key(settings.anthropic_api_key, "anthropic_api_key"), settings.anthropic_base_url
        return AnthropicModel(api_key=given, base_url=url) if url else AnthropicModel(api_key=given)

    def openai() -> Model:
        from remit.adapters.model.openai import OpenAIModel

        return OpenAIModel(
            api_key=key(settings.openai_api_key, "openai_api_key"), base_url=settings.openai_base_url
        )

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


def open_telemetry(settings: Settings, clock: Clock) -> Telemetry:
    """The Prometheus registry, and beside it OpenTelemetry and lines for CloudWatch when they are switched on."""
    every: list[Telemetry] = [PrometheusTelemetry()]
    if settings.otel:
        from remit.adapters.telemetry.otel import exporting

        every.append(exporting("remit", "0.1.0", metrics=settings.otel_metrics))
    if settings.emf:
        from remit.adapters.telemetry.emf import EmfTelemetry

        every.append(EmfTelemetry(settings.deployment, clock))
    return every[0] if len(every) == 1 else ManyTelemetry(*every)


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
        if settings.smtp_url.startswith("ses:"):
            from remit.adapters.notify.ses import SesChannel, ses_sender

            return SesChannel(open_session(settings), ses_sender(settings.smtp_url))
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

    def sns() -> Channel:
        from remit.adapters.notify.sns import SnsChannel

        return SnsChannel(open_session(settings), frozenset(settings.workflow.aws_tenants))

    return {"email": email, "slack": slack, "webhook": webhook, "sns": sns}
