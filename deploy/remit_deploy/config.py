"""What is to be deployed: `[deploy]` of remit.toml, or a JSON file, as one frozen value.

`[deploy.environments.prod]` says what is different there. What the app itself knows (agents, their models, workflows) is
added by `describing.described`.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct, field

from remit.core.codec import convert
from remit.core.errors import ConfigError, InputError
from remit.core.states.arns import plain_name

ENVIRONMENTS = ("dev", "stage", "prod")
DEFAULT = "default"
"""The function and queue for agents that have none of their own: those of the registry."""

LONGEST_NAME = 24
"""A bucket's name has at most 63 characters, of which account, region and purpose take up to 39."""

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*\Z")
_ENDS = frozenset(ENVIRONMENTS)
_SECRET = ("REMIT_SECRET_", "AWS_SECRET_", "AWS_SESSION_")


class AgentConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """One agent's function, and all that its role may use beyond its own queue, run tables and prefix `agents/NAME/`.

    `models` are Bedrock model ids; `tables` collections of Remit or tables of yours; `secrets` are `name` (of any tenant) or
    `tenant/name`; `prefixes` of the artifacts bucket; `queues` are names of SQS queues that it may send to.
    `control_plane` lets it read and write tables, validations and their runs. `kind` is the agent's. `memory_mb` and
    `timeout_s` are the function's; `concurrency` reserves that many of the account's executions for it.
    """

    kind: Literal["llm", "code", "workflow"] = "llm"
    models: tuple[str, ...] = ()
    tables: dict[str, Literal["read", "write"]] = {}
    secrets: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    control_plane: bool = False
    memory_mb: int = 512
    timeout_s: int = 300
    concurrency: int | None = None


class Auth(Struct, frozen=True, forbid_unknown_fields=True):
    """How a caller is known to API Gateway.

    `api_key`: a key of the usage plan. `cognito`: a user pool made here, and the key for its quota. `jwt`: tokens of `issuer` for
    one of `audience`, at an HTTP API, which has neither keys nor WAF. `tenant_claim` names the claim that says the tenant,
    `roles_claim` the one that lists roles (of Cognito: `custom:roles`).
    """

    kind: Literal["api_key", "cognito", "jwt"] = "api_key"
    issuer: str = ""
    audience: tuple[str, ...] = ()
    tenant_claim: str = "custom:tenant"
    roles_claim: str = ""
    domain: str = ""
    """Prefix of the hosted sign-in pages of Cognito; none when empty."""


class Throttling(Struct, frozen=True, forbid_unknown_fields=True):
    """Requests per second, the most at once, and a key's quota per day."""

    rate: float = 10
    burst: int = 20
    per_day: int = 10_000
    per_address: int = 1_000
    """WAF: requests of one address in five minutes."""
    per_viewer: int = 6_000
    """The same at the console, where each open page asks again and again for what has changed."""


class Retention(Struct, frozen=True, forbid_unknown_fields=True):
    """How long things are kept, in days. `audit_mode` is S3's: nobody can delete under COMPLIANCE, not even root."""

    logs: int = 30
    audit: int = 365
    audit_mode: Literal["GOVERNANCE", "COMPLIANCE"] = "GOVERNANCE"
    versions: int = 90
    events: int = 30
    access_logs: int = 90


class GuardrailConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """A Bedrock Guardrail. `topics` are denied: name -> what is meant. `grounding` is a threshold of 0 to 0.99, 0 for none."""

    strength: Literal["LOW", "MEDIUM", "HIGH"] = "HIGH"
    topics: dict[str, str] = {}
    words: tuple[str, ...] = ()
    pii: tuple[str, ...] = ("CREDIT_DEBIT_CARD_NUMBER", "PASSWORD", "AWS_SECRET_KEY")
    grounding: float = 0.0
    blocked_input: str = "This request cannot be answered."
    blocked_output: str = "The answer was withheld."


class ScheduleConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """An event that EventBridge Scheduler publishes for a tenant. `expression`: `rate(1 hour)` or `cron(0 6 * * ? *)`."""

    expression: str
    event_type: str
    data: dict[str, Any] = {}
    tenant_id: str = "local"
    timezone: str = "UTC"


class InboundConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Events of EventBridge that become events of a tenant. `pattern` is EventBridge's; `bus` this deployment's or `default`.

    What they say is untrusted content unless `trusted`.
    """

    pattern: dict[str, Any]
    tenant_id: str = "local"
    trusted: bool = False
    bus: Literal["deployment", "default"] = "deployment"


def _from_this_account() -> dict[str, InboundConfig]:
    """What this account publishes on the deployment's bus is heard, unless the configuration says what is."""
    return {"elsewhere": InboundConfig({"account": ["${AWS::AccountId}"]})}


class AlarmConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """When to wake somebody. `queue_age_s`: runs wait that long; `invocations`: more in five minutes look like a loop."""

    error_percent: float = 1.0
    duration_s: int = 240
    invocations: int = 5_000
    model_calls: int = 2_000
    approvals_waiting: int = 10
    queue_age_s: int = 600


class DeployConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that a template needs to know.

    `bundle` is the directory of what the functions run, for `python` and `architecture`, with the app and its remit.toml in it.
    `model` is `provider:model-id` for route `default` (REMIT_MODEL); `environ` adds variables to every function. `chat_agent` answers `POST /chat`. `secrets` are made empty, as `tenant/name`, to be filled by
    hand. `workflows` are States Language documents by name; `tools` says what the functions of those tools may use that workflows
    call themselves. `events_topic`: a FIFO topic of all events, for consumers outside. `alert_email` hears alarms, `email_from` is the address that notifications of Remit come from, by SES.
    `console` puts the console before the API, at an address of CloudFront or at `console_domain`, whose certificate in ACM of us-east-1
    `console_certificate` is the ARN of. `budget_usd` is per month. `budget_scope`: costs of the whole account,
    or only those tagged with this deployment (activate tag `remit:deployment` for cost allocation first).
    """

    project: str = "remit"
    environment: Literal["dev", "stage", "prod"] = "dev"
    region: str = "us-east-1"
    account: str = ""
    profile: str = ""
    bundle: str = ""
    python: str = "3.13"
    architecture: Literal["arm64", "x86_64"] = "arm64"
    for_emulator: bool = False
    template: Literal["single-agent"] = "single-agent"
    agents: dict[str, AgentConfig] = {}
    workflows: dict[str, dict[str, Any]] = {}
    lambdas: dict[str, str] = {}
    """Agents and tools of the app by the names under which workflows may call them as Lambda functions."""
    tools: dict[str, AgentConfig] = {}
    schedules: dict[str, ScheduleConfig] = {}
    inbound: dict[str, InboundConfig] = field(default_factory=_from_this_account)
    events_topic: bool = False
    engine: Literal["local", "stepfunctions"] = "stepfunctions"
    model: str = ""
    environ: dict[str, str] = {}
    chat_agent: str = ""
    secrets: tuple[str, ...] = ()
    secrets_from: Literal["secretsmanager", "parameters"] = "secretsmanager"
    budget_usd: float = 50.0
    budget_scope: Literal["account", "deployment"] = "account"
    alert_email: str = ""
    email_from: str = ""
    auth: Auth = Auth()
    throttling: Throttling = Throttling()
    cors_origins: tuple[str, ...] = ()
    waf: bool = True
    vpc_endpoints: bool = False
    cloudtrail: bool = False
    console: bool = False
    console_files: str = ""
    """What they are known by, in the tag `remit:console` of their bucket: with other files the stack is another one."""
    console_domain: str = ""
    console_certificate: str = ""
    guardrail: GuardrailConfig | None = None
    retention: Retention = Retention()
    alarms: AlarmConfig = AlarmConfig()
    tags: dict[str, str] = {}

    @property
    def deployment(self) -> str:
        """The one name that all others start with."""
        return f"{self.project}-{self.environment}"

    @property
    def kept(self) -> bool:
        """Whether data outlives the stack: everywhere but in `dev`."""
        return self.environment != "dev"


def read_config(path: Path, environment: str = "") -> DeployConfig:
    """The configuration in `[deploy]` of a TOML file, or of a JSON file that is one. Raises ConfigError E850, E851, E852, E857."""
    try:
        text = path.read_text()
        given = json.loads(text) if path.suffix == ".json" else tomllib.loads(text).get("deploy", {})
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"`{path}` cannot be read: {error}", code="E850", help="give a remit.toml or a .json"
        ) from error
    return config_of(given, environment)


def config_of(given: Mapping[str, Any], environment: str = "") -> DeployConfig:
    """The configuration of an environment, checked. Raises ConfigError E850, E851, E852, E857."""
    plain = {key: value for key, value in given.items() if key != "environments"}
    chosen = environment or plain.get("environment", "dev")
    different = given.get("environments", {}).get(chosen, {})
    try:
        config = convert(_merged(plain, {**different, "environment": chosen}), DeployConfig)
    except InputError as error:
        raise ConfigError(
            f"`[deploy]` is not in order: {error.message}",
            code="E850",
            help=error.help,
        ) from error
    return checked(config)


def checked(config: DeployConfig) -> DeployConfig:
    """The configuration itself. Raises ConfigError E851 for a name that AWS would refuse, E852 for what does not go together, E857 for agents that do not stay apart."""
    if not _NAME.match(config.deployment) or len(config.deployment) > LONGEST_NAME:
        raise ConfigError(
            f"`{config.deployment}` cannot name a deployment",
            code="E851",
            help=f"lower-case letters, digits and single `-`, {LONGEST_NAME} characters in all: shorten `project`",
        )
    if _ENDS.intersection(config.project.split("-")[1:]):
        raise ConfigError(
            f"`{config.deployment}` begins with the name that another deployment may have, and so would all that is its own",
            code="E851",
            help=f"keep {', '.join(f'`{word}`' for word in sorted(_ENDS))} out of `project`",
        )
    if secret := next((name for name in config.environ if name.startswith(_SECRET)), ""):
        raise ConfigError(
            f"`environ` has `{secret}`, and what is in it can be read in the template and in every plan",
            code="E852",
            help='name it in `secrets`, e.g. `secrets = ["local/jira_token"]`, and fill it in by hand',
        )
    for agent in config.agents:
        longest = 64 - len(f"{config.deployment}-agent-")
        if len(agent) > longest:
            raise ConfigError(
                f"agent `{agent}` has too long a name for a function of `{config.deployment}`",
                code="E851",
                help=f"at most {longest} characters, or a shorter `project`",
            )
    _check_apart((*config.agents, *config.workflows))
    if config.auth.kind == "jwt" and not (config.auth.issuer and config.auth.audience):
        raise ConfigError(
            "`auth` is `jwt` and says no `issuer` and `audience`", code="E852", help="give both"
        )
    if config.auth.kind == "jwt" and config.waf:
        raise ConfigError(
            "WAF cannot stand before the HTTP API that `auth = jwt` needs",
            code="E852",
            help="set `waf = false`, or use `auth = cognito`",
        )
    if bool(config.console_domain) is not bool(config.console_certificate):
        raise ConfigError(
            "`console_domain` and `console_certificate` go together: one of them is missing",
            code="E852",
            help="give the domain and the ARN of its certificate in ACM of us-east-1, or neither",
        )
    if config.chat_agent and config.agents and config.chat_agent not in config.agents:
        raise ConfigError(
            f"`chat_agent` is `{config.chat_agent}`, which is no agent here",
            code="E852",
            help=f"name one of {', '.join(sorted(config.agents))}",
        )
    return config


def _check_apart(agents: Iterable[str]) -> None:
    """Raise ConfigError E857 where two agents or workflows would share a function, a queue and so a role."""
    owners: dict[str, str] = {}
    names = dict.fromkeys(agents)
    for queue, name in [(plain_name(n), n) for n in names] + [(f"{plain_name(n)}-dead", n) for n in names]:
        other = owners.setdefault(queue, name)
        if other != name:
            raise ConfigError(
                f"agents `{other}` and `{name}` would share `{queue}` in AWS, and what each of them may do",
                code="E857",
                help="rename one: in AWS all but letters, digits, `-` and `_` becomes `-`, and `-dead` ends dead-letter queues",
            )


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Tables are merged, everything else is replaced."""
    made = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(made.get(key), Mapping)
        made[key] = _merged(made[key], value) if both else value
    return made
