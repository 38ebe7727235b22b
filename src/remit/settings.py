"""The only reader of the environment: variables and `remit.toml` become one frozen object."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field
from msgspec.structs import replace

from remit.core.codec import convert
from remit.core.errors import ConfigError


class ModelRoute(Struct, frozen=True, forbid_unknown_fields=True):
    """A named way to a model: `provider` (rules, bedrock, anthropic, openai, ...), its model id, and what to try next."""

    provider: str
    model: str = ""
    fallbacks: tuple[str, ...] = ()
    max_tokens: int = 2048
    timeout_s: float = 120.0


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


class FileSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What `remit.toml` may hold."""

    store: str = ""
    packs: tuple[str, ...] = ()
    app: str = ""
    policies: tuple[str, ...] = ()
    models: dict[str, ModelRoute] = {}
    durability: Literal["normal", "full"] = "normal"
    workflow: WorkflowSettings = WorkflowSettings()
    sandbox: SandboxSettings = SandboxSettings()
    web: WebSettings = WebSettings()
    documents: DocumentSettings = DocumentSettings()
    memory: MemorySettings = MemorySettings()
    mcp: dict[str, McpServer] = {}
    mcp_serve: McpServing = McpServing()
    connections: dict[str, Connection] = {}
    guardrails: str = ""
    """A file of guardrails (TOML) that texts to and from models pass, whatever the provider."""
    deploy: dict[str, Any] = {}
    """What `remit deploy` reads; nothing else does."""


class Settings(Struct, frozen=True):
    """Everything that configures one Remit.

    `home` holds data (`REMIT_HOME`, default `.remit`). `store` is a URL (`REMIT_STORE`): `sqlite:///path`,
    `postgresql://...` or `memory:`. `durability`: `normal` keeps every acknowledged event through a process
    crash and every effect's intent through power loss; `full` syncs every event (`REMIT_DURABILITY`).
    `model` overrides every default route (`REMIT_MODEL`, `provider:model-id`, e.g. `bedrock:anthropic.claude-...`).
    `fault` names a crash point for tests (`REMIT_FAULT`, `point` or `point:nth`): the process kills itself there.
    `smtp_url` is the mail server of notifiers (`REMIT_SMTP_URL`, `smtp://user@host:port?from=address`; its password is
    the secret `smtp_password`). Notifiers reach addresses of private networks unless `REMIT_NOTIFY_PRIVATE=0`.
    `workflow` says what workflows reach; `aws_endpoint` is where AWS is, other than in AWS (`AWS_ENDPOINT_URL`).

    On AWS: `deployment` is the name that everything of this deployment starts with (`REMIT_DEPLOYMENT`, e.g. `remit-dev`),
    and `store` may be `dynamodb://DEPLOYMENT`. `blobs` (`REMIT_BLOBS`) and `archive` (`REMIT_ARCHIVE`, the immutable copy of
    journals) are `s3://bucket/prefix`. `bus` is `local`, `aws` or `aws+sns` (`REMIT_BUS`), `engine` says where workflows run, `local` or
    `stepfunctions` (`REMIT_ENGINE`). `secrets_from` is `env`, `secretsmanager` or `parameters` (`REMIT_SECRETS`).
    `tenant_claim` and `roles_claim` name the claims of a token that API Gateway has checked (`REMIT_TENANT_CLAIM`, e.g.
    `custom:tenant`; `REMIT_ROLES_CLAIM`, e.g. `cognito:groups`): without the first one, only API keys open the API.
    `chat_agent` answers `/chat` (`REMIT_CHAT_AGENT`), `chat_origins` are the origins whose pages may ask there
    (`REMIT_CHAT_ORIGINS`, separated by commas; `*` is any).
    `search_path` is where commands are found (`PATH`).
    `sandbox`, `web`, `documents`, `memory`, `mcp`, `mcp_serve`, `connections` and `guardrails` are those of `remit.toml`.
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
    ci: bool = False
    smtp_url: str = ""
    notify_private: bool = True
    workflow: WorkflowSettings = WorkflowSettings()
    aws_endpoint: str = ""
    deployment: str = ""
    blobs: str = ""
    archive: str = ""
    bus: Literal["local", "aws", "aws+sns"] = "local"
    engine: Literal["local", "stepfunctions"] = "local"
    secrets_from: Literal["env", "secretsmanager", "parameters"] = "env"
    guardrail: str = ""
    sandbox: SandboxSettings = SandboxSettings()
    web: WebSettings = WebSettings()
    documents: DocumentSettings = DocumentSettings()
    memory: MemorySettings = MemorySettings()
    mcp: dict[str, McpServer] = {}
    mcp_serve: McpServing = McpServing()
    connections: dict[str, Connection] = {}
    guardrails: str = ""
    search_path: str = ""
    emf: bool = False
    chat_agent: str = "assistant"
    chat_origins: tuple[str, ...] = ()
    tenant_claim: str = ""
    roles_claim: str = ""


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
        log_level=env.get("REMIT_LOG", "warning"),
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
        otel=env.get("REMIT_OTEL", "") == "1" or "OTEL_EXPORTER_OTLP_ENDPOINT" in env,
        ci=env.get("CI") == "true",
        smtp_url=env.get("REMIT_SMTP_URL", ""),
        notify_private=env.get("REMIT_NOTIFY_PRIVATE", "1") == "1",
        workflow=_workflow(file.workflow, env, base),
        aws_endpoint=env.get("AWS_ENDPOINT_URL", ""),
        deployment=env.get("REMIT_DEPLOYMENT", ""),
        blobs=env.get("REMIT_BLOBS", ""),
        archive=env.get("REMIT_ARCHIVE", ""),
        bus=_one_of(env, "REMIT_BUS", ("local", "aws", "aws+sns")),
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
        guardrails=_beside(base, file.guardrails),
        emf=env.get("REMIT_EMF", "") == "1",
        chat_agent=env.get("REMIT_CHAT_AGENT") or "assistant",
        chat_origins=tuple(o.strip() for o in env.get("REMIT_CHAT_ORIGINS", "").split(",") if o.strip()),
        tenant_claim=env.get("REMIT_TENANT_CLAIM", ""),
        roles_claim=env.get("REMIT_ROLES_CLAIM", ""),
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
    except Exception as error:
        raise ConfigError(
            f"`{path}` cannot be read: {error}", code="E201", help="see docs/reference/settings.md"
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


def _durability(text: Any) -> Literal["normal", "full"]:
    if text not in ("normal", "full"):
        raise ConfigError(f"`REMIT_DURABILITY` is `{text}`", code="E203", help="set it to `normal` or `full`")
    return "full" if text == "full" else "normal"
