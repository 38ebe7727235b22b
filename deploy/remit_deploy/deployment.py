"""Deploying one environment: build, synthesise, plan, apply, promote, destroy. What is shown of it is the command line's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from remit.core.errors import ConfigError, StoreError
from remit.server.console import folder_of
from remit.settings import load
from remit_deploy import assets, console, environments, indexing, releases
from remit_deploy.assets import AssetsBucket
from remit_deploy.aws import Account, Place, refused
from remit_deploy.config import DeployConfig
from remit_deploy.console import Files, Publishing
from remit_deploy.costs.estimate import Estimate, estimate
from remit_deploy.environments import Source
from remit_deploy.failing import Failure, failures
from remit_deploy.names import Names
from remit_deploy.packaging import bundle, project
from remit_deploy.planning import Plan, plan_of
from remit_deploy.releases import Release
from remit_deploy.stacks import ChangeSet, Stack, StackEvent
from remit_deploy.synthesis import Assembly, synthesise

RELEASE, REVISION, TEMPLATE = "RemitRelease", "RemitRevision", "RemitTemplate"
"""What a stack says of itself, as outputs."""

CONSOLE_BUCKET = "ConsoleBucket"
"""The output of a stack that shows the console."""


class Prepared(Struct, frozen=True):
    """All that is needed to deploy: what to run, and the template around it. `compiled`: as far as a Python was there.

    `console` are the files of the release's console; whether they are shown here is the configuration's to say.
    """

    config: DeployConfig
    release: Release
    assembly: Assembly
    size: int = 0
    compiled: bool = True
    console: Files = {}


class Planned(Struct, frozen=True):
    """What deploying would do, and what it would cost. `running` is the release that is deployed now, `console` what becomes of
    the console's files where it is to be shown."""

    prepared: Prepared
    plan: Plan
    estimate: Estimate
    running: str = ""
    change_set: ChangeSet | None = None
    console: Publishing | None = None

    @property
    def nothing(self) -> bool:
        """Whether all is as it should be already."""
        return self.plan.nothing and (self.console is None or self.console.nothing)


class DeployError(StoreError):
    """CloudFormation did not get there. `failures` are the resources that failed by themselves, the first one first."""

    default_code = "E867"

    def __init__(self, message: str, *, failures: tuple[Failure, ...], help: str) -> None:
        super().__init__(message, help=help)
        self.failures = failures


Synthesise = Callable[[DeployConfig, Path, Mapping[str, str]], Assembly]


class Deployment:
    """One environment of a project at one place. `work` is where what is built lies, `synthesise` makes the template."""

    def __init__(
        self, config: DeployConfig, place: Place, work: Path, synthesise: Synthesise = synthesise
    ) -> None:
        self.config = config
        self.place = place
        self._work = work / config.deployment
        self._synthesise = synthesise

    @property
    def name(self) -> str:
        """The name that everything of it starts with."""
        return self.config.deployment

    @cached_property
    def account(self) -> Account:
        """Where it is. Raises ConfigError E864 for an account that is not the configured one."""
        account = Account(self.place)
        wanted = "" if self.place.is_emulator else self.config.account
        if wanted and account.id != wanted:
            raise ConfigError(
                f"these are credentials of account `{account.id}`, and `{self.name}` belongs into `{wanted}`",
                code="E864",
                help="name the right `profile` in `[deploy]`, or correct `account`",
            )
        return account

    def authenticate(self) -> str:
        """The id of the account, by asking AWS who calls: before anything is built that credentials may not be there for.

        Raises ConfigError E864 for credentials that are missing, expired or of another account, DeniedError E865, StoreError E876.
        """
        return self.account.id

    @cached_property
    def stack(self) -> Stack:
        """Its stack."""
        return Stack(self.account, self.name)

    @cached_property
    def bucket(self) -> AssetsBucket:
        """Where its code is."""
        return AssetsBucket(self.account, self.name)

    @property
    def pages(self) -> str:
        """The bucket of the console's files."""
        return console.bucket_of(self.account, self.name)

    def running(self) -> dict[str, str]:
        """The outputs of what is deployed. Raises ConfigError E873 when nothing is."""
        if found := self.stack.outputs():
            return found
        raise ConfigError(
            f"`{self.name}` is not deployed in {self.place}",
            code="E873",
            help="`remit deploy apply` deploys it",
        )

    # preparing

    def build(self, source: Source) -> Prepared:
        """Build the bundle from a project, and the template around it."""
        definitions = source.definitions()
        config = source.config(self.config.environment, definitions)
        if self.place.is_emulator:
            config = environments.for_emulator(config)
        packages = source.packages
        shown = console.built(folder_of(load(directory=source.root))) if config.console else {}
        where = (self._work / "bundle").resolve()
        files = project.read(source.root, app=source.app, include=packages.include)
        made = bundle.build(files, where, environments.target_of(config), packages.requirements)
        definitions |= {"python": made.python, "architecture": made.architecture}
        known_as = console.hash_of(shown) if shown else ""
        release = releases.release_of(made, definitions, "", source.root, known_as)
        prepared = self._synthesised(config, release, where)
        return replace(prepared, size=made.size, compiled=made.compiled, console=shown)

    def take_over(self, source: Source, other: Deployment) -> Prepared:
        """The release that runs in another environment, with the settings of this one.

        Raises ConfigError E871, E873, E1071, E1072.
        """
        id = other.running().get(RELEASE, "")
        release = releases.load(other.bucket, id, other.name)
        where = (self._work / "bundle").resolve()
        releases.unpack(other.bucket, release, where)
        config = source.config(self.config.environment, release.definitions)
        if self.place.is_emulator:
            config = environments.for_emulator(config)
        if config.console and not release.console:
            raise ConfigError(
                f"`{self.name}` is to have a console, and release `{release.id}` of `{other.name}` has none",
                code="E1071",
                help=f"deploy `{other.name}` with `console = true`, then promote; or leave it out of `{self.name}`",
            )
        shown = console.kept(other.bucket, release.console) if release.console else {}
        compiled = bundle.compiled(where, environments.target_of(config))
        return replace(self._synthesised(config, release, where), compiled=compiled, console=shown)

    def _synthesised(self, config: DeployConfig, release: Release, where: Path) -> Prepared:
        config = replace(config, bundle=str(where), console_files=release.console[:32])
        outputs = {RELEASE: release.id, REVISION: release.revision or "none", TEMPLATE: config.template}
        assembly = self._synthesise(config, self._work / "synth", outputs)
        return Prepared(config, replace(release, asset=assembly.assets[0].key), assembly)

    # planning

    def plan(self, prepared: Prepared, source: Source, *, offline: bool = False) -> Planned:
        """What applying would do. A change set is prepared where there is a stack: `settle` it or apply it.

        `offline` asks nobody: it is the plan for an account that has nothing yet.
        """
        from remit.engine.models import default_prices

        cost = estimate(prepared.assembly.template, prepared.config, source.usage, default_prices())
        old = {} if offline else self.stack.template()
        pages = self._publishing(prepared, old)
        if not old:
            return Planned(prepared, plan_of({}, prepared.assembly.template), cost, console=pages)
        running = self.stack.outputs().get(RELEASE, "")
        changes = self._change_set(prepared.assembly, prepared.config)
        told = changes.changes() if changes else []
        plan = plan_of(old, prepared.assembly.template, told)
        return Planned(prepared, plan, cost, running, changes, pages)

    def _publishing(self, prepared: Prepared, old: Mapping[str, Any]) -> Publishing | None:
        if not prepared.config.console:
            return None
        if not self._shows_console(old):
            return Publishing(len(prepared.console), tuple(sorted(prepared.console)), ())
        return console.compared(self.account, self.pages, prepared.console)

    def settle(self, planned: Planned) -> None:
        """Let go of a plan that is not applied."""
        if planned.change_set is not None:
            planned.change_set.discard()

    def _change_set(self, assembly: Assembly, config: DeployConfig) -> ChangeSet | None:
        self.bucket.make()
        url = self.bucket.put_template(assembly.body)
        return self.stack.prepare(url, self._tags(config))

    def _tags(self, config: DeployConfig) -> Mapping[str, str]:
        own = {"remit:deployment": self.name, "remit:environment": config.environment}
        return {**own, **config.tags}

    # applying

    def apply(self, planned: Planned, seen: Callable[[StackEvent], None]) -> dict[str, str]:
        """Do what was planned, telling what happens; the outputs. Raises DeployError E867."""
        prepared = planned.prepared
        self.bucket.make()
        self.bucket.upload(prepared.assembly)
        if prepared.console:
            console.keep(self.bucket, prepared.console)
        releases.save(self.bucket, prepared.release)
        if planned.change_set is not None or planned.plan.fresh:
            self._change(planned, seen)
        if prepared.config.console:
            console.publish(self.account, self.pages, prepared.console)
        return self.stack.outputs()

    def _change(self, planned: Planned, seen: Callable[[StackEvent], None]) -> None:
        prepared, changes = planned.prepared, planned.change_set
        old, new = {} if planned.plan.fresh else self.stack.template(), prepared.assembly.template
        if self._shows_console(old) and not prepared.config.console:
            assets.empty(self.account, self.pages)  # CloudFormation deletes no bucket that is not empty
        grown = indexing.collections_of(new, indexing.grown(old, new), self.name)
        steps = indexing.steps(old, new)
        if changes is not None and len(steps) > 1:
            changes.discard()  # it is of no use any more after the first step
            changes = None
        indexing.fill(self.account, self.name, grown)  # first, so that an index is whole as soon as it serves
        tables = indexing.names(old, new)
        for template in steps:
            self._wait(tables)
            assembly = replace(prepared.assembly, template=dict(template))
            made = changes or self._change_set(assembly, prepared.config)
            if made is not None:
                self._execute(made, assembly, seen)
        indexing.fill(self.account, self.name, grown)  # again: the old code wrote until now
        if prepared.config.environment == "prod":
            self.stack.protect(on=True)
        self._tick()

    def _shows_console(self, template: Mapping[str, Any]) -> bool:
        """Whether what is deployed by this template has a bucket for the console."""
        return CONSOLE_BUCKET in template.get("Outputs", {})

    def _execute(self, changes: ChangeSet, assembly: Assembly, seen: Callable[[StackEvent], None]) -> None:
        events: list[StackEvent] = []

        def both(event: StackEvent) -> None:
            events.append(event)
            seen(event)

        status = changes.execute(both)
        if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            self._failed(status, events, assembly.template)

    def _wait(self, tables: set[str]) -> None:
        """Wait for the indexes of the update before: CloudFormation does not, and a table takes no other meanwhile."""
        if not tables:
            return
        for _ in self.stack.waiting("DynamoDB fills indexes"):
            tables = set(indexing.unready(self.account, tables))
            if not tables:
                return

    def _tick(self) -> None:
        """Let the new code take up what is its own (schedules, subscriptions) now, not when the clock next ticks."""
        tick = Names(self.name).function("tick")
        if any(where == tick for _, where in self.stack.resources().values()):
            with refused(f"invoke function `{tick}`", action="lambda:InvokeFunction"):
                self.account.client("lambda").invoke(FunctionName=tick, Payload=b"{}")

    def _failed(self, status: str, events: list[StackEvent], template: Mapping[str, Any]) -> None:
        found = failures([*self.stack.refusals(), *events], template, self.name)
        undone = "everything was taken back" if "ROLLBACK_COMPLETE" in status else f"the stack is {status}"
        where = f": {found[0].path} ({found[0].type}): {found[0].cause}" if found else ""
        raise DeployError(
            f"`{self.name}` could not be deployed, and {undone}{where}",
            failures=tuple(found),
            help=found[0].advice if found else "see the stack's events in the CloudFormation console",
        )
