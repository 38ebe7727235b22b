"""The only place that knows everybody: settings become an app."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping, Sequence
from types import TracebackType

import remit.settings as settings_module
from remit.adapters.clock.system import SystemClock
from remit.adapters.policy.cedar import CedarPolicy
from remit.adapters.policy.files import load_profiles
from remit.adapters.services import local as local_services
from remit.adapters.signing.ed25519 import Ed25519Signer
from remit.adapters.telemetry.many import flush
from remit.bootstrap.adapters import (
    Adapters,
    open_archive,
    open_blobs,
    open_bus,
    open_channels,
    open_driver,
    open_machines,
    open_models,
    open_objects,
    open_provider,
    open_secrets,
    open_store,
    open_telemetry,
)
from remit.bootstrap.asked import Asked
from remit.bootstrap.catalogue import Known, check_agents, check_workflows
from remit.bootstrap.collections import COLLECTIONS
from remit.bootstrap.facilities import Equipment
from remit.bootstrap.guardrail import open_guardrail
from remit.bootstrap.identity import vouched
from remit.bootstrap.mcp import add_mcp_tools
from remit.bootstrap.packs import find_packs
from remit.bootstrap.redaction import check_definitions, known_secrets, open_redactors
from remit.core.cloudevent import CloudEvent
from remit.core.errors import ConfigError
from remit.core.redaction import Redactor
from remit.core.task import Actor, Result, Task
from remit.engine import runs
from remit.engine.advance import Engine
from remit.engine.applying import Applying, RegistryApplier
from remit.engine.approvals import Approvals
from remit.engine.archiving import Archiving
from remit.engine.audit import Audit
from remit.engine.budget_alerts import BudgetAlerts
from remit.engine.bus import rules as bus_rules
from remit.engine.bus.announcing import Announcer
from remit.engine.bus.local import LocalBus, attributed
from remit.engine.bus.starting import Starter
from remit.engine.bus.tool import PublishTool
from remit.engine.controlplane import ControlPlane
from remit.engine.conversations import Conversations
from remit.engine.costs import Costs
from remit.engine.curating import Curator
from remit.engine.decisions import Decisions
from remit.engine.documents import Library
from remit.engine.editing import Editors
from remit.engine.envelopes import Envelopes
from remit.engine.faults import crashpoint
from remit.engine.golden import GoldenKind
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
from remit.engine.mcp.approving import Approving
from remit.engine.mcp.kind import McpToolKind
from remit.engine.models import ModelAccess, Route
from remit.engine.notifications import Notifications
from remit.engine.notifiers import NotifierApplier, Notifiers
from remit.engine.profiles import InForce, approver_roles
from remit.engine.registry import Registry
from remit.engine.runs import Deltas, Runs
from remit.engine.saved_views import SavedViews
from remit.engine.scheduler import Scheduler, wanted_by_rules
from remit.engine.schedules import Schedules
from remit.engine.scorecards import Scorecards
from remit.engine.sessions import Sessions
from remit.engine.sweeping import Sweeper
from remit.engine.tables import Tables
from remit.engine.trail import Trail
from remit.engine.validation_applying import RuleApplier, TableApplier, TypeApplier
from remit.engine.validation_days import ValidationDays
from remit.engine.validation_runs import ValidationRuns
from remit.engine.validation_types import ValidationTypes
from remit.engine.validations import ValidationKind, Validations
from remit.engine.versions import Kind
from remit.engine.worker import Worker
from remit.engine.workflows.callbacks import Callbacks
from remit.engine.workflows.catalog import Workflows
from remit.engine.workflows.kind import WorkflowKind
from remit.engine.workflows.mapping import ReadItems, WriteResults
from remit.ports.clock import Clock
from remit.ports.driving import Driver
from remit.ports.policy import Policy
from remit.ports.services import Publish, Start
from remit.ports.store import Store
from remit.ports.telemetry import Telemetry
from remit.sdk import Pack
from remit.settings import Settings


class App(Asked):
    """One Remit: everything built and connected. Made by `open_app`; use it as an async context manager."""

    def __init__(
        self,
        settings: Settings,
        kit: Kit,
        plane: ControlPlane,
        packs: Sequence[Pack],
        deltas: Deltas,
        bus: LocalBus,
        equipment: Equipment,
        mcp: Approving | None = None,
    ) -> None:
        self.settings = settings
        self.mcp = mcp
        """The tools of the MCP servers of `remit.toml`; None where there are no servers."""
        self.bus = bus
        self.equipment = equipment
        self.driver: Driver = open_driver(settings, kit.catalogue.agents)
        self.kit = kit
        self.packs = tuple(packs)
        self.store: Store = kit.store
        self.blobs = kit.blobs
        self.clock = kit.clock
        self.policy = kit.policy
        self.catalogue = kit.catalogue
        self.registry = kit.registry
        self.telemetry: Telemetry = kit.telemetry
        self.engine = Engine(kit)
        self.worker = Worker(kit, self.engine, concurrency=settings.concurrency)
        self.workflows = Workflows(kit, lambda: self.runs.stepping)
        self._remember()
        self.runs = Runs(kit, deltas, self.conversations, working_ttl_s=settings.memory.working_ttl_s)
        self._control(plane)
        self._account()
        self._hear()
        self._admit()
        self._prove()

    def _remember(self) -> None:
        """What was said, and what is known."""
        kept = self.settings.memory
        self.conversations = Conversations(
            self.store, self.clock, history=kept.history, summarise=kept.summarise
        )
        self.memories = self.equipment.memories
        self.curator = Curator(
            self.memories,
            self.clock,
            self.registry,
            self.policy,
            lambda text: self.kit.redactor("default").text(text),
        )

    def _control(self, plane: ControlPlane) -> None:
        """What is defined, held to rules, scheduled and told."""
        own = {applier.kind for applier in plane.appliers}
        others = [RegistryApplier(self.registry, kind) for kind in self.registry.kinds if kind not in own]
        self.applying = Applying([*others, *plane.appliers], Editors(self.policy))
        self.tables = plane.tables
        self.validation_types = plane.validation_types
        self.validations = plane.validations
        self.validation_runs = plane.validation_runs
        self.scorecards = plane.scorecards
        self.schedules = plane.schedules
        self.notifiers = plane.notifiers
        self.notifications = plane.notifications
        self.scheduler = Scheduler(
            plane.schedules,
            self.clock,
            self.runs.submit,
            wanted_by_rules(plane.tables, plane.validations),
            crash=self.kit.crash,
        )

    def _account(self) -> None:
        """What people decide, what was decided and what it cost; and what is swept up now and then."""
        self.approvals = Approvals(self.kit)
        self.decisions = Decisions(self.store)
        self.envelopes = Envelopes(self.store)
        self.costs = Costs(self.store, self.clock)
        told = (self.notifiers, self.notifications, self.telemetry)
        self.budget_alerts = BudgetAlerts(self.store, self.clock, self.bus, *told)
        self.sweeper = Sweeper(
            self.clock,
            [
                self.memories.sweep,
                self.equipment.states.sweep,
                self.approvals.fill_deadlines,
                self.costs.fold,
                self.costs.fill,
                self.budget_alerts.sweep,
            ],
        )

    def _hear(self) -> None:
        """Events start agents, and answers end what waits for them."""
        agents = self.catalogue.agents
        self.bus.start_with(Starter(self.store, self.bus.subscriptions, agents, self.runs.submit))
        self.bus.subscriptions.declare(bus_rules.of_code(agent.spec for agent in agents.values()))
        self.callbacks = Callbacks(self.store, self.clock)
        if self.settings.bus.startswith("kafka:"):
            from remit.bootstrap.topics import take_tasks

            take_tasks(self.bus, self.settings, self.kit, self.runs, self.callbacks)

    def _admit(self) -> None:
        """Who may come in, and what each of them likes to see."""
        self.keys = Keys(self.store, self.clock, lambda t: approver_roles(self.registry, self.policy, t))
        self.sessions = Sessions(
            self.store, self.clock, self.keys, lambda claims: vouched(claims, self.settings.oidc)
        )
        self.provider = open_provider(self.settings, self.kit.secrets, self.clock)
        """Who vouches for people besides keys; None where nobody does."""
        self.views = SavedViews(self.store, self.clock)

    def _prove(self) -> None:
        """What nobody can change unseen, and what nobody may read."""
        settings, secrets = self.settings, self.kit.secrets
        keeper = None if settings.secrets_from == "env" else secrets
        self.audit = Audit(self.store, self.clock, Ed25519Signer(settings.home / "audit.key", keeper))
        self.archiving = Archiving(self.store, open_archive(settings, self.clock), self.audit)
        self.known_secrets = known_secrets(secrets, settings)
        """Every secret known by now: what logs leave out."""

    @property
    def documents(self) -> Library:
        """The documents of every tenant. Raises ConfigError for settings that name no index, or an extra that is missing."""
        return self.equipment.library

    async def __aenter__(self) -> App:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> App:
        """Open the store, where `async with` does not fit: in a notebook, whose cells share one app. Close it in the end."""
        await self.store.open()
        await self.store.declare(COLLECTIONS)
        return self

    async def close(self) -> None:
        """Let go of everything; what telemetry holds back is sent."""
        flush(self.telemetry)
        await self.bus.close()
        await self.kit.models.close()
        await self.equipment.close()
        if self.mcp is not None:
            await self.mcp.servers.close()
        await self.store.close()

    async def work(self, stop: asyncio.Event) -> None:
        """Advance runs, start what is scheduled and deliver events until `stop` is set; then finish the steps in flight."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.worker.serve(stop))
            group.create_task(self.scheduler.serve(stop))
            group.create_task(self.bus.serve(stop))
            group.create_task(self.sweeper.serve(stop))

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
    worker_id = worker_id or f"{socket.gethostname()}:{os.getpid()}:{clock.new_id('w')[-6:]}"
    telemetry = open_telemetry(settings, clock)
    loaded = [*find_packs(settings, app_file or settings.app, given=bool(packs)), *packs]
    catalogue = Known(loaded)
    secrets = open_secrets(settings, clock)
    check_definitions(catalogue, secrets, settings)
    known = Redactor(known_secrets(secrets, settings), ())
    policy = policy or CedarPolicy(
        load_profiles([*settings.policies, *(d for p in loaded for d in p.policies)])
    )
    store = store or open_store(settings, clock, secrets)
    blobs = open_blobs(settings)
    access = open_models(settings, loaded, clock, secrets, models or {}, routes or {})

    bus = open_bus(settings, store, clock, worker_id, known.text, telemetry, secrets)
    catalogue.add_tool(PublishTool(bus.publisher))

    async def may_start(task: Task) -> InForce:
        return await runs.may_start(registry, policy, task)

    editors = Editors(policy)
    trail = Trail(store, blobs, clock, known, editors)
    schedules = Schedules(store, clock, may_start, known)
    tables = Tables(store, clock, schedules.writes, known, trail)
    types = ValidationTypes(store, catalogue.validation_types, catalogue.agents, known, trail)
    rules = ValidationKind(tables, types, schedules.writes)
    held = [*kinds(catalogue, access, policy, bus), McpToolKind(store, catalogue.tools), rules]
    registry = Registry(store, blobs, clock, held, known, editors)
    mcp = add_mcp_tools(settings, secrets, clock, catalogue, registry)

    notifiers = Notifiers(store, clock, known)
    channels = open_channels(settings, secrets, clock)
    notifications = Notifications(store, clock, ValidationRuns(store), notifiers, secrets, channels)
    telling = (schedules, notifiers, notifications)
    plane = open_control_plane(store, clock, registry, rules, tables, types, telling)

    deltas = Deltas()
    equipment = Equipment(settings, store, blobs, clock, secrets)
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
        redactor=open_redactors(policy, secrets, settings),
        worker_id=worker_id,
        lease_ttl_s=settings.lease_ttl_s,
        crash=crashpoint(settings.fault),
        platform=lambda task: plane.platform(task.tenant_id),
        facilities=equipment.of,
        on_delta=deltas.publish,
        announcer=Announcer(store, clock, bus.subscriptions, bus.publisher),
        machines=open_machines(settings, clock, catalogue),
        guardrail=open_guardrail(settings, secrets, clock),
    )
    app = App(settings, kit, plane, loaded, deltas, bus, equipment, mcp)

    async def publish(tenant_id: str, actor: Actor, events: Sequence[CloudEvent]) -> object:
        return await bus.publish(tenant_id, [attributed(event, actor) for event in events])

    add_workflow_tools(catalogue, settings, store, publish, app.runs.submit)
    check_workflows(catalogue)
    check_agents(catalogue)
    return app


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
    scorecards = Scorecards(tables, validations, ValidationDays(store, runs, clock), clock)
    appliers = (
        TableApplier(tables, validations),
        TypeApplier(types, validations),
        RuleApplier(registry, rules),
        NotifierApplier(telling[1]),
    )
    return ControlPlane(tables, types, validations, runs, scorecards, *telling, appliers)


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
        GoldenKind(),
    ]
