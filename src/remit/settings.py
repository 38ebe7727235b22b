"""The only reader of the environment: variables and `remit.toml` become one frozen object."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct, field
from msgspec.structs import replace

from remit.core.codec import convert
from remit.core.errors import ConfigError, InputError


class ModelRoute(Struct, frozen=True, forbid_unknown_fields=True):
    """A named way to a model: `provider` (rules, bedrock, anthropic, openai, ...), its model id, and what to try next.

    With `cache` `exact` an answer is kept for `cache_ttl_s` seconds for whoever of the same tenant asks exactly the same.
    """

    provider: str
    model: str = ""
    fallbacks: tuple[str, ...] = ()
    max_tokens: int = 2048
    timeout_s: float = 120.0
    cache: Literal["off", "exact"] = "off"
    cache_ttl_s: Annotated[float, Meta(gt=0, le=2_592_000)] = 3600.0


class WorkflowSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What workflows reach. `services` and `objects`: `local`, or `aws` (`REMIT_AWS_SERVICES=1`) and `s3`.

    `objects` is `s3` by default where `services` is `aws`. `tables` are the local DynamoDB tables: by name the key
    attributes, e.g. `["customer", "line:N"]`. `files` is a folder that distributed Maps read and write as bucket `file:`.
    `aws_tenants` may use the AWS account of this process.
    """

    services: Literal["local", "aws"] = "local"
    objects: Literal["", "local", "s3"] = ""
    tables: dict[str, tuple[str, ...]] = {}
    files: str = ""
    aws_tenants: tuple[str, ...] = ("local",)


class SandboxSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where code of agents runs. `auto` takes the first of `bubblewrap` and `monty` that holds here; `none`: nowhere.

    One run of code may take `wall_s` seconds, `cpu_s` of computing time, and `memory_mb` MiB; memory and processors of a service are
    those of its template. `packages` are what code finds under bubblewrap, of those installed. `template` is an E2B template or an AgentCore interpreter of
    one's own, `url` where E2B is (its key is the secret `E2B_API_KEY`).
    """

    provider: Literal["auto", "bubblewrap", "monty", "e2b", "agentcore", "none"] = "auto"
    wall_s: float = 20.0
    cpu_s: float = 10.0
    memory_mb: int = 512
    packages: tuple[str, ...] = ("numpy", "pandas", "matplotlib", "tzdata")
    template: str = ""
    url: str = "https://api.e2b.app"


class WebSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How the web is searched: `corpus`, the pages at hand (a folder; by default those that ship), or `tavily`.

    `tavily_url` is where Tavily, or a service that speaks its API, is; each tenant's key is the secret `tavily_api_key`.
    `fetch` says which pages are read: those of the `corpus` only, or any `public` one; by default public ones with `tavily`.
    `http_allow` are the addresses that `http_get` and `http_request` may send to, each an origin and the start of a path, and
    `http_private` whether these may be of a private network. `http_secrets` names the addresses that a secret may be sent to.
    """

    search: Literal["corpus", "tavily"] = "corpus"
    corpus: str = ""
    tavily_url: str = "https://api.tavily.com"
    fetch: Literal["", "corpus", "public"] = ""
    http_allow: tuple[str, ...] = ()
    http_private: bool = False
    http_secrets: dict[str, tuple[str, ...]] = {}


class DocumentSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How documents are found. `vectors`, and words with them: `local` or `usearch` in files, or `postgresql://...` with pgvector.

    `embeddings`: `lexical` (no model), `bedrock:MODEL`, `openai:MODEL` or `local:FOLDER`.
    """

    vectors: str = "local"
    embeddings: str = "lexical"


class MemorySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How long working memory is kept, in seconds: of a run after its end, of other scopes after a value's last write.

    `history` is how many messages of a conversation a turn is given. With `summarise` what is older is summed up by the agent's
    model instead of left out.
    """

    working_ttl_s: Annotated[float, Meta(gt=0)] = 7 * 86_400.0
    history: Annotated[int, Meta(ge=2)] = 40
    summarise: bool = False


class McpServer(Struct, frozen=True, forbid_unknown_fields=True):
    """A server of the Model Context Protocol: a `command` to start, or the `url` of a streamable HTTP one.

    `risk` is that of its tools where nothing else was approved. `secrets` are variables of the command, or HTTP headers, by the name
    of a secret of the tenant whose agent calls. `timeout_s` bounds one call.
    """

    command: tuple[str, ...] = ()
    url: str = ""
    risk: Literal["L0", "L1", "L2", "L3"] = "L2"
    secrets: dict[str, str] = {}
    timeout_s: float = 30.0


class McpServing(Struct, frozen=True, forbid_unknown_fields=True):
    """What this Remit offers as a server of the Model Context Protocol: `agents` by name (`*`: all of them), and `tools`.

    A call that waits for a person is held for `hold_s` seconds before its client is told to ask again.
    """

    agents: tuple[str, ...] = ("*",)
    tools: tuple[str, ...] = ()
    hold_s: float = 25.0


class Connection(Struct, frozen=True, forbid_unknown_fields=True):
    """A platform that agents may work with, e.g. `connections.github`; `connections.acme__github` is that of tenant `acme`.

    Credentials are secrets, never written here. `auth`: `app` (GitHub: `client_id` and `installation`, secret `github_private_key`),
    `client_credentials` or `refresh_token` (OAuth 2.0: `client_id`, secrets `NAME_client_secret`, `NAME_refresh_token`), or `token`, a
    static one (secret `NAME_token`; with `user` by HTTP Basic). `scopes` bound what tools may ask for. `private` allows addresses of
    private networks, and http. With `dry_run` nothing is changed there.
    """

    auth: Literal["token", "app", "client_credentials", "refresh_token"] = "token"
    url: str = ""
    token_url: str = ""
    client_id: str = ""
    installation: str = ""
    user: str = ""
    scopes: tuple[str, ...] = ()
    private: bool = False
    dry_run: bool = False


class OidcSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Signing in to the console by an OpenID provider: its `issuer`, and the `client_id` of this Remit there.

    `client_secret` names the secret of a confidential client. The address to register there is that of `REMIT_URL` with
    `/api/v1/session/oidc/callback`. Who somebody is comes from the ID token alone: `actor_claim` names them, `tenant_claim` (or `tenant`,
    where everybody is of one) their tenant, and `roles` says what roles each value of `roles_claim` gives: `{"Support leads" = ["approver"]}`.
    Nobody without a tenant or a role gets in. A claim inside another one is `outer.inner`. `label` stands on the button.
    A sign-in is good for `session_s` seconds, then the provider is asked again; 0: for as long as its ID token says.
    """

    issuer: str = ""
    client_id: str = ""
    client_secret: str = ""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    actor_claim: str = "sub"
    tenant: str = ""
    tenant_claim: str = ""
    roles_claim: str = "groups"
    roles: dict[str, tuple[str, ...]] = {}
    label: str = ""
    session_s: Annotated[int, Meta(ge=0, le=604_800)] = 28_800


class KafkaSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What goes and comes by Kafka, where the bus is `kafka://host:port[,host:port]`.

    All topics and groups begin with `prefix`. Tasks come on `agent.NAME` for each of `agents` (`*`: those of the code here). They are of
    `tenant`, or of the one of `tenants` that a message names in its header; `actor` with `roles` asks for them, and without `trusted`
    their content taints runs. `replies` are topics that a message may ask its reply on, besides those of agents (`NAME*`: all that
    begin so). Runs may send tasks to the agents of `send`, by the topic of each. Events of the topics `events_from` come onto the bus.

    `security` is how brokers are spoken to, `ca` a file of certificates that are trusted; a `user` has the secret `kafka_password`.
    Missing topics are made with `partitions`, unless that is 0. A message that cannot be taken is put aside after `attempts`.
    The partitions of a process that is silent for `session_s` seconds go to others. `most_bytes` bounds a message.
    """

    prefix: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9._-]{0,64}\Z")] = ""
    agents: tuple[str, ...] = ("*",)
    tenant: Annotated[str, Meta(min_length=1)] = "local"
    tenants: tuple[str, ...] = ()
    actor: Annotated[str, Meta(min_length=1)] = "kafka"
    roles: tuple[str, ...] = ()
    trusted: bool = False
    replies: tuple[str, ...] = ()
    send: dict[str, str] = {}
    events_from: tuple[str, ...] = ()
    security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = "plaintext"
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    user: str = ""
    ca: str = ""
    partitions: Annotated[int, Meta(ge=0, le=1000)] = 6
    attempts: Annotated[int, Meta(ge=1, le=100)] = 8
    session_s: Annotated[float, Meta(ge=0.5, le=300)] = 10.0
    most_bytes: Annotated[int, Meta(ge=100_000)] = 1_000_000


class FileSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What `remit.toml` may hold."""

    store: str = ""
    bus: str = ""
    packs: tuple[str, ...] = ()
    app: str = ""
    policies: tuple[str, ...] = ()
    models: dict[str, ModelRoute] = {}
    durability: Literal["normal", "full"] = "normal"
    kafka: KafkaSettings = KafkaSettings()
    workflow: WorkflowSettings = WorkflowSettings()
    sandbox: SandboxSettings = SandboxSettings()
    web: WebSettings = WebSettings()
    documents: DocumentSettings = DocumentSettings()
    memory: MemorySettings = MemorySettings()
    mcp: dict[str, McpServer] = {}
    mcp_serve: McpServing = McpServing()
    connections: dict[str, Connection] = {}
    oidc: OidcSettings = OidcSettings()
    extensions: dict[str, dict[str, Any]] = {}
    """What extensions of other distributions are opened with, a table each: docs/howto/extend.md."""
    guardrails: str = ""
    """A file of guardrails (TOML) that texts to and from models pass, whatever the provider."""
    deploy: dict[str, Any] = {}
    """What `remit deploy` reads; nothing else does."""


class Settings(Struct, frozen=True):
    """Everything that configures one Remit.

    `home` holds data (`REMIT_HOME`, default `.remit`). `store` is a URL (`REMIT_STORE`): `sqlite:///path`, `redis://...`,
    `postgresql://...` or `memory:`. `durability`: `normal` keeps every acknowledged event through a process
    crash and every effect's intent through power loss; `full` syncs every event (`REMIT_DURABILITY`).
    `model` overrides every default route (`REMIT_MODEL`, `provider:model-id`, e.g. `bedrock:anthropic.claude-...`).
    `fault` names a crash point for tests (`REMIT_FAULT`, `point` or `point:nth`): the process kills itself there.
    `smtp_url` is the mail server of notifiers (`REMIT_SMTP_URL`, `smtp://user@host:port?from=address`; its password is
    the secret `smtp_password`). Notifiers reach addresses of private networks unless `REMIT_NOTIFY_PRIVATE=0`.
    `workflow` says what workflows reach; `aws_endpoint` is where AWS is, other than in AWS (`AWS_ENDPOINT_URL`).

    On AWS: `deployment` is the name that everything of this deployment starts with (`REMIT_DEPLOYMENT`, e.g. `remit-dev`),
    and `store` may be `dynamodb://DEPLOYMENT`. `blobs` (`REMIT_BLOBS`) and `archive` (`REMIT_ARCHIVE`, the immutable copy of
    journals) are `s3://bucket/prefix`. `bus` is `local`, `aws`, `aws+sns` or, anywhere, `kafka://host:port[,host:port]` (`REMIT_BUS`), `engine` says where workflows run, `local` or
    `stepfunctions` (`REMIT_ENGINE`). `secrets_from` is `env`, `secretsmanager` or `parameters` (`REMIT_SECRETS`).
    `tenant_claim` and `roles_claim` name the claims of a token that API Gateway has checked (`REMIT_TENANT_CLAIM`, e.g.
    `custom:tenant`; `REMIT_ROLES_CLAIM`, e.g. `cognito:groups`): without the first one, only API keys open the API.
    `chat_agent` answers `/chat` (`REMIT_CHAT_AGENT`), `chat_origins` are the origins whose pages may ask there
    (`REMIT_CHAT_ORIGINS`, separated by commas; `*` is any).
    `url` is where people reach this server when that is not where it listens, e.g. behind a proxy (`REMIT_URL`, `https://remit.example.com`).
    `console_dir` holds another build of the console (`REMIT_CONSOLE_DIR`), `console_origins` are the origins of consoles that are served
    elsewhere (`REMIT_CONSOLE_ORIGINS`, separated by commas): their pages may call the API with a key, never with a cookie.
    `operator_tenant` is the tenant whose admins run the deployment (`REMIT_OPERATOR_TENANT`): they see costs and budgets of every tenant.
    `search_path` is where commands are found (`PATH`).
    `kafka`, `sandbox`, `web`, `documents`, `memory`, `mcp`, `mcp_serve`, `connections`, `oidc`, `extensions` and `guardrails` are those of `remit.toml`.
    `otel` sends spans by OpenTelemetry, and metrics with them unless `OTEL_METRICS_EXPORTER=none`.
    `guardrail` is `id:version` of a Bedrock Guardrail (`REMIT_GUARDRAIL`). `emf`: metrics as lines for CloudWatch (`REMIT_EMF=1`).
    """

    home: Path
    store: str
    packs: tuple[str, ...] = ()
    app: str = ""
    policies: tuple[str, ...] = ()
    models: dict[str, ModelRoute] = {}
    durability: Literal["normal", "full"] = "normal"
    model: str = ""
    host: str = "127.0.0.1"
    port: int = 8700
    concurrency: int = 64
    lease_ttl_s: float = 15.0
    log_level: str = "warning"
    log_json: bool = False
    region: str = "us-east-1"
    bedrock_model_id: str = ""
    bedrock_endpoint: str = ""
    openai_base_url: str = "https://api.openai.com/v1"
    anthropic_base_url: str = ""
    openai_api_key: str = ""
    anthropic_api_key: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict)
    fault: str = ""
    otel: bool = False
    otel_metrics: bool = True
    ci: bool = False
    smtp_url: str = ""
    notify_private: bool = True
    workflow: WorkflowSettings = WorkflowSettings()
    aws_endpoint: str = ""
    deployment: str = ""
    blobs: str = ""
    archive: str = ""
    bus: str = "local"
    engine: Literal["local", "stepfunctions"] = "local"
    secrets_from: Literal["env", "secretsmanager", "parameters"] = "env"
    guardrail: str = ""
    kafka: KafkaSettings = KafkaSettings()
    sandbox: SandboxSettings = SandboxSettings()
    web: WebSettings = WebSettings()
    documents: DocumentSettings = DocumentSettings()
    memory: MemorySettings = MemorySettings()
    mcp: dict[str, McpServer] = {}
    mcp_serve: McpServing = McpServing()
    connections: dict[str, Connection] = {}
    oidc: OidcSettings = OidcSettings()
    extensions: dict[str, dict[str, Any]] = {}
    guardrails: str = ""
    search_path: str = ""
    emf: bool = False
    chat_agent: str = "assistant"
    chat_origins: tuple[str, ...] = ()
    url: str = ""
    console_dir: str = ""
    console_origins: tuple[str, ...] = ()
    tenant_claim: str = ""
    roles_claim: str = ""
    operator_tenant: str = ""


def load(
    environ: Mapping[str, str] | None = None, *, directory: Path | None = None, app: str = "", home: str = ""
) -> Settings:
    """Settings from the environment over `remit.toml` in `directory` over defaults. Raises ConfigError."""
    env = os.environ if environ is None else environ
    base = directory or Path.cwd()
    file = read_file(base / "remit.toml")
    where = Path(home or env.get("REMIT_HOME") or base / ".remit")
    return Settings(
        home=where,
        store=env.get("REMIT_STORE") or file.store or f"sqlite:///{where / 'remit.db'}",
        packs=tuple(p for p in env.get("REMIT_PACKS", "").split(",") if p) or file.packs,
        app=app or env.get("REMIT_APP", "") or file.app,
        policies=file.policies,
        models=file.models,
        durability=_durability(env.get("REMIT_DURABILITY") or file.durability),
        model=env.get("REMIT_MODEL", ""),
        host=env.get("REMIT_HOST", "127.0.0.1"),
        port=_number(env, "REMIT_PORT", 8700),
        concurrency=_number(env, "REMIT_CONCURRENCY", 64),
        lease_ttl_s=float(_number(env, "REMIT_LEASE_TTL_S", 15)),
        log_level=_level(env.get("REMIT_LOG") or "warning"),
        log_json=env.get("REMIT_LOG_JSON", "") == "1",
        region=env.get("AWS_DEFAULT_REGION") or env.get("AWS_REGION") or "us-east-1",
        bedrock_model_id=env.get("BEDROCK_MODEL_ID", ""),
        bedrock_endpoint=env.get("AWS_ENDPOINT_URL_BEDROCK_RUNTIME") or env.get("AWS_ENDPOINT_URL", ""),
        openai_base_url=env.get("OPENAI_BASE_URL") or "https://api.openai.com/v1",
        anthropic_base_url=env.get("ANTHROPIC_BASE_URL", ""),
        openai_api_key=env.get("OPENAI_API_KEY", ""),
        anthropic_api_key=env.get("ANTHROPIC_API_KEY", ""),
        secrets={
            k.removeprefix("REMIT_SECRET_").lower(): v
            for k, v in env.items()
            if k.startswith("REMIT_SECRET_")
        },
        fault=env.get("REMIT_FAULT", ""),
        otel=env.get("REMIT_OTEL", "") == "1"
        or "OTEL_EXPORTER_OTLP_ENDPOINT" in env
        or "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" in env,
        otel_metrics=env.get("OTEL_METRICS_EXPORTER", "") != "none",
        ci=env.get("CI") == "true",
        smtp_url=env.get("REMIT_SMTP_URL", ""),
        notify_private=env.get("REMIT_NOTIFY_PRIVATE", "1") == "1",
        workflow=_workflow(file.workflow, env, base),
        aws_endpoint=env.get("AWS_ENDPOINT_URL", ""),
        deployment=env.get("REMIT_DEPLOYMENT", ""),
        blobs=env.get("REMIT_BLOBS", ""),
        archive=env.get("REMIT_ARCHIVE", ""),
        bus=_bus(env.get("REMIT_BUS") or file.bus or "local"),
        kafka=replace(file.kafka, ca=_beside(base, file.kafka.ca)),
        engine=_one_of(env, "REMIT_ENGINE", ("local", "stepfunctions")),
        secrets_from=_one_of(env, "REMIT_SECRETS", ("env", "secretsmanager", "parameters")),
        guardrail=env.get("REMIT_GUARDRAIL", ""),
        sandbox=file.sandbox,
        web=replace(file.web, corpus=_beside(base, file.web.corpus)),
        documents=_documents(file.documents, base),
        memory=file.memory,
        mcp=file.mcp,
        mcp_serve=file.mcp_serve,
        search_path=env.get("PATH", ""),
        connections=file.connections,
        oidc=file.oidc,
        extensions=file.extensions,
        guardrails=_beside(base, file.guardrails),
        emf=env.get("REMIT_EMF", "") == "1",
        chat_agent=env.get("REMIT_CHAT_AGENT") or "assistant",
        chat_origins=_listed(env.get("REMIT_CHAT_ORIGINS", "")),
        url=_origin(env.get("REMIT_URL", "")),
        console_dir=env.get("REMIT_CONSOLE_DIR", ""),
        console_origins=tuple(_origin(each) for each in _listed(env.get("REMIT_CONSOLE_ORIGINS", ""))),
        tenant_claim=env.get("REMIT_TENANT_CLAIM", ""),
        roles_claim=env.get("REMIT_ROLES_CLAIM", ""),
        operator_tenant=env.get("REMIT_OPERATOR_TENANT", ""),
    )


def in_lambda(environ: Mapping[str, str] | None = None) -> bool:
    """Whether this process is an AWS Lambda function."""
    return "AWS_LAMBDA_FUNCTION_NAME" in (os.environ if environ is None else environ)


def read_file(path: Path) -> FileSettings:
    """`remit.toml`, or defaults when there is none. Raises ConfigError that names the file and the mistake."""
    if not path.exists():
        return FileSettings()
    try:
        return convert(tomllib.loads(path.read_text()), FileSettings)
    except InputError as error:
        raise ConfigError(
            f"`{path}` cannot be read: {error.message}", code="E201", help=error.help
        ) from error
    except Exception as error:
        raise ConfigError(
            f"`{path}` cannot be read: {error}", code="E201", help="it must be a TOML file that you may read"
        ) from error


def _workflow(file: WorkflowSettings, env: Mapping[str, str], base: Path) -> WorkflowSettings:
    """The settings of workflows; a relative folder is one beside `remit.toml`."""
    services = "aws" if env.get("REMIT_AWS_SERVICES") == "1" else file.services
    files = _beside(base, file.files)
    objects = file.objects or ("s3" if services == "aws" else "local")
    return replace(file, services=services, objects=objects, files=files)


def _documents(file: DocumentSettings, base: Path) -> DocumentSettings:
    """The settings of documents; a relative folder of a model is one beside `remit.toml`."""
    provider, colon, model = file.embeddings.partition(":")
    return (
        replace(file, embeddings=f"local:{_beside(base, model)}") if provider == "local" and colon else file
    )


def _beside(base: Path, path: str) -> str:
    """A path of `remit.toml`, which is relative to where that file is; empty stays empty."""
    return str((base / path).resolve()) if path else ""


def _listed(text: str) -> tuple[str, ...]:
    """The parts of a text that commas separate."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _origin(text: str) -> str:
    """An origin as browsers write it: scheme, host and port, without a path. Raises ConfigError E206."""
    if not text:
        return ""
    parts = urlsplit(text)
    origin = f"{parts.scheme}://{parts.netloc}".lower()
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.username
        or text.rstrip("/").lower() != origin
    ):
        raise ConfigError(
            f"`{text}` is no origin", code="E206", help="write e.g. https://remit.example.com, without a path"
        )
    return origin


def _number(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name) or str(default)
    if not text.isdigit():
        raise ConfigError(
            f"`{name}` is `{text}`, which is no whole number", code="E202", help=f"set it to e.g. {default}"
        )
    return int(text)


def _one_of(env: Mapping[str, str], name: str, choices: tuple[str, ...]) -> Any:
    """The value of a variable, the first choice when it is not set."""
    text = env.get(name) or choices[0]
    if text not in choices:
        known = ", ".join(f"`{choice}`" for choice in choices)
        raise ConfigError(f"`{name}` is `{text}`", code="E203", help=f"set it to one of {known}")
    return text


def _level(text: str) -> str:
    known = ("debug", "info", "warning", "error", "critical")
    if text.lower() in known:
        return text.lower()
    told = ", ".join(f"`{each}`" for each in known)
    raise ConfigError(f"`REMIT_LOG` is `{text}`", code="E203", help=f"set it to one of {told}")


def _bus(text: str) -> str:
    if text in ("local", "aws", "aws+sns") or _KAFKA.match(text):
        return text
    raise ConfigError(
        f"`REMIT_BUS` is `{text}`",
        code="E203",
        help="set it to one of `local`, `aws`, `aws+sns`, or to `kafka://HOST:PORT[,HOST:PORT]`",
    )


_KAFKA = re.compile(r"kafka://[^/,@:\s]+:\d+(,[^/,@:\s]+:\d+)*\Z")


def _durability(text: Any) -> Literal["normal", "full"]:
    if text not in ("normal", "full"):
        raise ConfigError(f"`REMIT_DURABILITY` is `{text}`", code="E203", help="set it to `normal` or `full`")
    return "full" if text == "full" else "normal"
