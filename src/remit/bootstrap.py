"""The only place that knows everybody: settings become an app."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import os
import socket
import sys
from collections import ChainMap
from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

import remit.settings as settings_module
from remit.adapters.blobs.files import FileBlobs
from remit.adapters.clock.system import SystemClock
from remit.adapters.model.rules import RulesModel
from remit.adapters.objects.files import FileObjectStore
from remit.adapters.policy.cedar import CedarPolicy
from remit.adapters.policy.files import load_profiles
from remit.adapters.secrets.mapping import MappingSecrets
from remit.adapters.secrets.salt import load_salt
from remit.adapters.services import local as local_services
from remit.adapters.services.items import service as service_items
from remit.adapters.signing.ed25519 import Ed25519Signer
from remit.adapters.telemetry.many import ManyTelemetry
from remit.adapters.telemetry.prometheus import PrometheusTelemetry
from remit.core.cloudevent import CloudEvent
from remit.core.codec import plain
from remit.core.errors import ConfigError, InputError
from remit.core.message import Message
from remit.core.redaction import Redactor
from remit.core.task import Actor, Result, Task
from remit.core.validation import ValidationType
from remit.engine import controlplane, delegation, envelopes, keys, records, runs, versions
from remit.engine.advance import Engine
from remit.engine.applying import Applying, RegistryApplier
from remit.engine.approvals import Approvals
from remit.engine.audit import Audit
from remit.engine.bus import records as bus_records
from remit.engine.bus import rules as bus_rules
from remit.engine.bus.announcing import Announcer
from remit.engine.bus.local import LocalBus, attributed
from remit.engine.bus.starting import Starter
from remit.engine.bus.tool import PublishTool
from remit.engine.controlplane import ControlPlane
from remit.engine.editing import Editors
from remit.engine.faults import crashpoint
from remit.engine.keys import Keys
from remit.engine.kinds import (
    PROMPT,
    AgentKind,
    PolicyProfileKind,
    PromptBody,
    RouteKind,
    Shaped,
    ToolSchemaKind,
)
from remit.engine.kit import Kit
from remit.engine.models import ModelAccess, Route, default_prices
from remit.engine.notifications import Channels, Notifications
from remit.engine.notifiers import NotifierApplier, Notifiers
from remit.engine.profiles import InForce
from remit.engine.registry import Registry
from remit.engine.runs import Deltas, Runs
from remit.engine.scheduler import Scheduler, wanted_by_rules
from remit.engine.schedules import Schedules
from remit.engine.schemas import check_schema
from remit.engine.scorecards import Scorecards
from remit.engine.tables import Tables
from remit.engine.trail import Trail
from remit.engine.validation_applying import RuleApplier, TableApplier, TypeApplier
from remit.engine.validation_runs import ValidationRuns
from remit.engine.validation_types import ValidationTypes
from remit.engine.validations import ValidationKind, Validations
from remit.engine.versions import Kind
from remit.engine.worker import Worker
from remit.engine.workflows import callbacks
from remit.engine.workflows.callbacks import Callbacks
from remit.engine.workflows.catalog import Workflows
from remit.engine.workflows.forking import Forks
from remit.engine.workflows.kind import WorkflowKind, refuse
from remit.engine.workflows.mapping import ReadItems, WriteResults
from remit.engine.workflows.spec import CodedWorkflow
from remit.ports.agents import Agent, Tool
from remit.ports.clock import Clock
from remit.ports.model import Model, ModelRequest
from remit.ports.notifier import Channel
from remit.ports.objects import ObjectStore
from remit.ports.policy import Policy
from remit.ports.secrets import Secrets
from remit.ports.services import Publish, Start
from remit.ports.store import Store
from remit.ports.telemetry import Telemetry
from remit.sdk import Agent as LlmAgent
from remit.sdk import CodeAgent, FunctionTool, Pack, Rule
from remit.settings import ModelRoute, Settings
from remit.workflow import Workflow

BUILT_IN = ("support", "validation")
EVERY_CHECK = "@validation_types"
"""Among an agent's delegates: the agents of all validation types there are, those of an app file too."""

Adapters = Mapping[str, Model | Callable[[], Model]]


class Known:
    """The agents and tools that exist here."""

    def __init__(self, packs: Sequence[Pack]) -> None:
        self.agents: dict[str, Agent] = {}
        self.tools: ChainMap[str, Tool] = ChainMap({})
        self.validation_types: dict[str, ValidationType] = {}
        offered: dict[str, Any] = {}
        for pack in packs:
            for agent in pack.agents:
                self._add(self.agents, "agent", agent.spec.name, agent)
                if isinstance(agent, CodeAgent) and agent.validation_type is not None:
                    kind = agent.validation_type
                    self._add(self.validation_types, "validation type", kind.validation_type, kind)
                if agent.spec.output_schema is not None:
                    check_schema(agent.spec.output_schema)
                self._add(offered, "agent", delegation.tool_name(agent.spec.name), agent)
            for tool in pack.tools:
                self._add(self.tools, "tool", tool.spec.name, tool)
                self._add(offered, "tool", tool.spec.name, tool)

        for pack in packs:
            for flow in pack.workflows:
                # A spec can only be made of a document in order. Which of its functions are tools and which are
                # agents is known once all packs are read.
                check_document(flow.spec_name, flow.document)
                made = CodedWorkflow(flow.spec_name, flow.document, self, flow.description)
                self._add(self.agents, "agent", flow.spec_name, made)
        runners = sorted(kind.agent for kind in self.validation_types.values())
        for known in list(self.agents.values()):
            if isinstance(known, CodeAgent) and EVERY_CHECK in known.spec.delegates:
                self.agents[known.spec.name] = known.with_delegates(EVERY_CHECK, runners)

    def add_tool(self, tool: Tool) -> None:
        """Take in a tool that comes with Remit. Raises ConfigError when a pack has another one of its name."""
        self._add(self.tools, "tool", tool.spec.name, tool)

    def _add(self, known: MutableMapping[str, Any], kind: str, name: str, thing: Any) -> None:
        if known.setdefault(name, thing) is not thing:
            raise ConfigError(
                f"two {kind}s are named `{name}`",
                code="E243",
                help="rename one: names decide what policy and approvals mean",
            )


class App:
    """One Remit: everything built and connected. Made by `open_app`; use it as an async context manager."""

    def __init__(
        self,
        settings: Settings,
        kit: Kit,
        plane: ControlPlane,
        packs: Sequence[Pack],
        deltas: Deltas,
        bus: LocalBus,
    ) -> None:
        self.settings = settings
        self.bus = bus
        self.kit = kit
        self.packs = tuple(packs)
        self.store: Store = kit.store
        self.blobs = kit.blobs
        self.clock = kit.clock
        self.policy = kit.policy
        self.catalogue = kit.catalogue
        self.registry = kit.registry
        own = {applier.kind for applier in plane.appliers}
        others = [RegistryApplier(kit.registry, kind) for kind in kit.registry.kinds if kind not in own]
        self.applying = Applying([*others, *plane.appliers], Editors(kit.policy))
        self.tables = plane.tables
        self.validation_types = plane.validation_types
        self.validations = plane.validations
        self.validation_runs = plane.validation_runs
        self.scorecards = plane.scorecards
        self.telemetry: Telemetry = kit.telemetry
        self.engine = Engine(kit)
        self.runs = Runs(kit, deltas)
        self.approvals = Approvals(kit)
        self.worker = Worker(kit, self.engine, concurrency=settings.concurrency)
        self.schedules = plane.schedules
        self.notifiers = plane.notifiers
        self.notifications = plane.notifications
        self.scheduler = Scheduler(
            plane.schedules,
            kit.clock,
            self.runs.submit,
            wanted_by_rules(plane.tables, plane.validations),
            crash=kit.crash,
        )
        self.workflows = Workflows(kit)
        agents = kit.catalogue.agents
        bus.start_with(Starter(kit.store, bus.subscriptions, agents, self.runs.submit))
        bus.subscriptions.declare(bus_rules.of_code(agent.spec for agent in agents.values()))
        self.callbacks = Callbacks(kit.store, kit.clock)
        self.forks = Forks(kit)
        self.keys = Keys(kit.store, kit.clock)
        self.audit = Audit(kit.store, kit.clock, Ed25519Signer(settings.home / "audit.key"))

    async def __aenter__(self) -> App:
        await self.store.open()
        await self.store.declare(
            [
                *records.COLLECTIONS,
                envelopes.COLLECTION,
                callbacks.COLLECTION,
                *keys.COLLECTIONS,
                *versions.COLLECTIONS,
                *controlplane.COLLECTIONS,
                *bus_records.COLLECTIONS,
                *service_items.COLLECTIONS,
            ]
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kit.models.close()
        await self.store.close()

    async def work(self, stop: asyncio.Event) -> None:
        """Advance runs, start what is scheduled and deliver events until `stop` is set; then finish the steps in flight."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.worker.serve(stop))
            group.create_task(self.scheduler.serve(stop))
            group.create_task(self.bus.serve(stop))

    async def run(self, task: Task) -> Result:
        """Submit a task and drive it here until it ends or waits for a person. Raises what `runs.submit` raises."""
        run_id = await self.runs.submit(task)
        await self.worker.run_until_idle(run_id)
        result = self.engine.result(run_id) or await self.runs.result(run_id, task.tenant_id)
        if result is None:
            raise ConfigError(
                f"run `{run_id}` is held by another worker",
                code="E244",
                help=f"follow it: `remit runs show {run_id}`",
            )
        return result


def open_app(
    settings: Settings | None = None,
    *,
    packs: Sequence[Pack] = (),
    app_file: str = "",
    policy: Policy | None = None,
    models: Adapters | None = None,
    routes: Mapping[str, Route] | None = None,
    store: Store | None = None,
    clock: Clock | None = None,
    worker_id: str = "",
) -> App:
    """An app from settings (the environment's by default), with more packs and other adapters if given.

    `models` adds or replaces model adapters by provider name, `routes` model routes by name. Raises ConfigError.
    """
    settings = settings or settings_module.load(app=app_file)
    clock = clock or SystemClock()
    loaded = [*find_packs(settings, app_file or settings.app, given=bool(packs)), *packs]
    catalogue = Known(loaded)
    secrets = MappingSecrets(settings.secrets)
    _no_secrets_in_definitions(catalogue, secrets, settings)
    policy = policy or CedarPolicy(
        load_profiles([*settings.policies, *(d for p in loaded for d in p.policies)])
    )
    deltas = Deltas()
    store = store or open_store(settings, clock)
    blobs = FileBlobs(settings.home / "blobs")
    access = open_models(settings, loaded, clock, models or {}, routes or {})
    known = Redactor(_known_secrets(secrets, settings), ())

    async def may_start(task: Task) -> InForce:
        return await runs.may_start(registry, policy, task)

    editors = Editors(policy)
    trail = Trail(store, blobs, clock, known, editors)
    worker_id = worker_id or f"{socket.gethostname()}:{os.getpid()}:{clock.new_id('w')[-6:]}"
    telemetry = open_telemetry(settings)
    bus = LocalBus(store, clock, owner=worker_id, clean=known.text, telemetry=telemetry)
    catalogue.add_tool(PublishTool(bus.publisher))
    schedules = Schedules(store, clock, may_start, known)
    tables = Tables(store, clock, schedules.writes, known, trail)
    types = ValidationTypes(store, catalogue.validation_types, catalogue.agents, known, trail)
    rules = ValidationKind(tables, types, schedules.writes)
    registry = Registry(store, blobs, clock, [*kinds(catalogue, access, policy, bus), rules], known, editors)
    notifiers = Notifiers(store, clock, known)
    channels = open_channels(settings, secrets, clock)
    notifications = Notifications(store, clock, ValidationRuns(store), notifiers, secrets, channels)
    telling = (schedules, notifiers, notifications)
    plane = open_control_plane(store, clock, registry, rules, tables, types, telling)
    kit = Kit(
        store=store,
        blobs=blobs,
        clock=clock,
        policy=policy,
        models=access,
        catalogue=catalogue,
        registry=registry,
        secrets=secrets,
        telemetry=telemetry,
        redactor=_redactors(policy, secrets, settings),
        worker_id=worker_id,
        lease_ttl_s=settings.lease_ttl_s,
        crash=crashpoint(settings.fault),
        platform=lambda task: plane.platform(task.tenant_id),
        on_delta=deltas.publish,
        announcer=Announcer(store, clock, bus.subscriptions, bus.publisher),
    )
    app = App(settings, kit, plane, loaded, deltas, bus)

    async def publish(tenant_id: str, actor: Actor, events: Sequence[CloudEvent]) -> object:
        return await bus.publish(tenant_id, [attributed(event, actor) for event in events])

    add_workflow_tools(catalogue, settings, store, publish, app.runs.submit)
    check_workflows(catalogue)
    return app


def check_workflows(catalogue: Known) -> None:
    """Raise ConfigError E632 for a workflow of the code that could not run, with every reason."""
    for agent in catalogue.agents.values():
        if isinstance(agent, CodedWorkflow):
            check_document(agent.spec.name, agent.document, {"tool": catalogue.tools})


def check_document(
    name: str, document: Mapping[str, Any], known: Mapping[str, Collection[str]] | None = None
) -> None:
    """Raise ConfigError E632 for a workflow of the code that is not in order. `known`: names that exist, by kind."""
    try:
        refuse(document, known=known)
    except InputError as error:
        raise ConfigError(f"`{name}`: {error.message}", code="E632", help="correct its document") from error


def add_workflow_tools(
    catalogue: Known, settings: Settings, store: Store, publish: Publish, start: Start
) -> None:
    """Add what Tasks call as services of AWS, and what distributed Maps read and write with."""
    objects = open_objects(settings)
    catalogue.add_tool(ReadItems(objects))
    catalogue.add_tool(WriteResults(objects))
    if settings.workflow.services == "local":
        for tool in local_services.integrations(store, publish, start, settings.workflow.tables):
            catalogue.add_tool(tool)
        return
    from remit.adapters.services.aws import Aws, SdkTools, integrations

    tenants = frozenset(settings.workflow.aws_tenants)
    aws = Aws(region=settings.region, endpoint_url=settings.aws_endpoint, tenants=tenants)
    for tool in integrations(aws):
        catalogue.add_tool(tool)
    catalogue.tools.maps.append(SdkTools(aws))


def open_objects(settings: Settings) -> ObjectStore:
    """The store of objects that the settings name."""
    chosen = settings.workflow
    if chosen.objects == "s3":
        from remit.adapters.objects.s3 import S3ObjectStore

        tenants = frozenset(chosen.aws_tenants)
        return S3ObjectStore(region=settings.region, endpoint_url=settings.aws_endpoint, tenants=tenants)
    return FileObjectStore(settings.home / "objects", Path(chosen.files) if chosen.files else None)


def open_control_plane(
    store: Store,
    clock: Clock,
    registry: Registry,
    rules: ValidationKind,
    tables: Tables,
    types: ValidationTypes,
    telling: tuple[Schedules, Notifiers, Notifications],
) -> ControlPlane:
    """The services that know what a tenant's data is checked by, when, and who is told."""
    validations = Validations(store, registry, tables, types)
    runs = ValidationRuns(store)
    scorecards = Scorecards(tables, validations, runs, clock)
    appliers = (
        TableApplier(tables, validations),
        TypeApplier(types, validations),
        RuleApplier(registry, rules),
        NotifierApplier(telling[1]),
    )
    return ControlPlane(tables, types, validations, runs, scorecards, *telling, appliers)


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


def kinds(catalogue: Known, models: ModelAccess, policy: Policy, bus: LocalBus) -> list[Kind]:
    """The kinds of definition that the registry holds; what others refer to comes first."""
    return [
        Shaped(PROMPT, PromptBody),
        RouteKind(models),
        PolicyProfileKind(policy),
        ToolSchemaKind(),
        AgentKind(catalogue.tools, models.routes, bus_rules.AgentSubscriptions(bus.subscriptions).writes),
        WorkflowKind(catalogue.tools, catalogue.agents),
        bus_rules.RuleKind(bus.subscriptions),
    ]


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


def _known_secrets(secrets: Secrets, settings: Settings) -> tuple[str, ...]:
    return (*secrets.known(), *(k for k in (settings.openai_api_key, settings.anthropic_api_key) if k))


def _no_secrets_in_definitions(catalogue: Known, secrets: Secrets, settings: Settings) -> None:
    """Instructions and descriptions go into prompts and journals as they are, so no secret may stand in them."""
    redactor = Redactor(_known_secrets(secrets, settings), ())
    things: list[Agent | Tool] = [*catalogue.agents.values(), *catalogue.tools.values()]
    for thing in things:
        given = plain(thing.spec)
        if redactor.value(given) is not given:
            raise ConfigError(
                f"the definition of `{thing.spec.name}` holds a secret, and would carry it into prompts and journals",
                code="E249",
                help="take it out; a tool reads secrets from its context: `context.secrets`",
            )


def _redactors(policy: Policy, secrets: Secrets, settings: Settings) -> Callable[[str], Redactor]:
    known = _known_secrets(secrets, settings)
    made: dict[tuple[str, ...], Redactor] = {}
    salt = load_salt(settings.home / "redaction.salt")

    def of(profile: str) -> Redactor:
        kinds = policy.profile(profile).redact
        if kinds not in made:
            made[kinds] = Redactor(known, kinds, salt=salt)
        return made[kinds]

    return of


# packs


def find_packs(settings: Settings, app_file: str, *, given: bool) -> list[Pack]:
    """The configured packs, or the built-in ones when none are configured or given; and the app file's. Raises ConfigError."""
    names = settings.packs or (() if given or app_file else BUILT_IN)
    packs = [load_pack(name, settings.home) for name in names]
    if app_file:
        packs.append(load_file(Path(app_file)))
    return packs


def load_pack(name: str, home: Path) -> Pack:
    """The pack `remit_packs.NAME`, or `module:attribute`. Raises ConfigError."""
    module_name, _, attribute = name.partition(":")
    if "." not in module_name and not attribute:
        module_name = f"remit_packs.{module_name}"
    try:
        module = importlib.import_module(module_name)
        made = getattr(module, attribute or "pack")
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"pack `{name}` cannot be loaded: {error}", code="E245", help="check `packs` in remit.toml"
        ) from error
    pack = made if isinstance(made, Pack) else made(home=home)
    if not isinstance(pack, Pack):
        raise ConfigError(f"`{name}` is no Pack", code="E245", help="let `pack(home)` return a `remit.Pack`")
    return pack


def load_file(path: Path) -> Pack:
    """Everything an app file defines: its packs, agents and tools, as one pack. Raises ConfigError."""
    if not path.is_file():
        raise ConfigError(
            f"app file `{path}` does not exist", code="E246", help="give a Python file that defines agents"
        )
    name = f"{path.stem}@{path.resolve().parent}"  # no other module's, and no other app file's
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"`{path}` is no Python file", code="E246")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where Python looks up the types that its classes are annotated with
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ConfigError(
            f"`{path}` cannot be loaded: {type(error).__name__}: {error}", code="E246"
        ) from error
    return _gathered(path.stem, module)


def _gathered(name: str, module: ModuleType) -> Pack:
    things = list(vars(module).values())
    packs = [t for t in things if isinstance(t, Pack)]
    agents = [t for t in things if isinstance(t, LlmAgent | CodeAgent)]
    tools = [t for t in things if isinstance(t, FunctionTool)]
    flows = [t for t in things if isinstance(t, Workflow)]
    rules: dict[str, tuple[Rule, ...]] = {}
    for pack in packs:
        rules.update(pack.rules)
    return Pack(
        name,
        agents=list(dict.fromkeys([*agents, *(a for p in packs for a in p.agents)])),
        tools=list(dict.fromkeys([*tools, *(t for p in packs for t in p.tools)])),
        workflows=[*flows, *(f for p in packs for f in p.workflows)],
        rules=rules,
        policies=[d for p in packs for d in p.policies],
    )
