"""What each function of a deployment may do: one role a function, and in it nothing that the function does not do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from remit_deploy.config import AgentConfig, DeployConfig
from remit_deploy.constructs import collections, grants
from remit_deploy.constructs.allow import Allow, merged
from remit_deploy.names import Names

BUS = ("bus_event", "bus_ready", "bus_parked_event", "bus_claim", "bus_dead_letter", "bus_wait")
SALT, AUDIT_KEY = "deployment/redaction_salt", "deployment/audit_key"
"""Secrets that the functions of a deployment share."""


class Calls(Struct, frozen=True):
    """Who takes part in which workflow: function's role (`agent-NAME`, `tool-NAME`, `gate-NAME`) -> workflows."""

    of: Mapping[str, tuple[str, ...]] = {}


class Roles:
    """The allowances of every function. `indexes`: of each collection and each of the store's own tables, its indexes."""

    def __init__(self, config: DeployConfig, indexes: Mapping[str, tuple[str, ...]], calls: Calls) -> None:
        self._config = config
        self._indexes = indexes
        self._calls = calls
        self._names = Names(config.deployment)
        self._workflows = tuple(config.workflows) if config.engine == "stepfunctions" else ()
        self._queues = [self._names.of("run-*")]

    def all(self) -> dict[str, tuple[Allow, ...]]:
        """Every function's allowances by its role."""
        named = {
            "api": self._api(),
            **({"chat": self._chat()} if self._config.chat_agent else {}),
            "tick": self._tick(),
            "react": self._react(),
            "deliver": self._deliver(),
            "inbound": self._inbound(),
            "audit": self._audit(),
        }
        for agent, config in self._config.agents.items():
            named[f"agent-{agent}"] = self._agent(agent, config)
        for role in self._calls.of:
            named.setdefault(role, self._task(role))
        return {role: merged([*self._common(role), *allowed]) for role, allowed in named.items()}

    # one function each

    def _api(self) -> list[Allow]:
        names = self._names
        return [
            *self._every_table(grants.WRITE),
            grants.send(names, [*self._queues, names.deliveries]),
            grants.objects(names, "artifacts", ["blobs"], erase=True),  # documents that are deleted
            grants.objects(names, "artifacts", ["agents"]),
            grants.objects(names, "config", [""], write=False),
            grants.objects(names, "audit", ["journal"], write=False),
            *grants.versions(names, "audit", "journal"),
            grants.secrets(names, [AUDIT_KEY], self._config.secrets_from),
            *grants.machines(names, self._workflows),
        ]

    def _chat(self) -> list[Allow]:
        names = self._names
        return [
            *self._run_tables(),
            grants.tables(names, grants.READ, self._tables(collections.KEYS)),
            grants.send(names, [names.run_queue(self._config.chat_agent), names.deliveries]),
            grants.objects(names, "artifacts", ["blobs"]),
            grants.know_machines(names, self._workflows),
        ]

    def _tick(self) -> list[Allow]:
        names = self._names
        return [
            *self._every_table(grants.APPEND),
            grants.send(names, [*self._queues, names.deliveries]),
            grants.objects(names, "artifacts", ["blobs"]),
            *self._events(),
            *self._people(),
            *grants.machines(names, self._workflows),
        ]

    def _react(self) -> list[Allow]:
        names = self._names
        return [
            grants.stream(names, names.table("run_head")),
            grants.stream(names, names.table("bus_ready")),
            grants.send(names, [*self._queues, names.deliveries, names.of("react-dead")]),
        ]

    def _deliver(self) -> list[Allow]:
        names = self._names
        return [
            *self._run_tables(),
            grants.receive(names, names.deliveries),
            grants.send(names, [names.deliveries, *self._queues]),
            grants.objects(names, "artifacts", ["blobs"]),
            *self._events(),
            grants.know_machines(names, self._workflows),
        ]

    def _inbound(self) -> list[Allow]:
        names = self._names
        return [
            grants.tables(names, grants.READ, self._tables(sorted(collections.READ_BY_RUNS))),
            grants.tables(names, grants.WRITE, self._tables(BUS)),
            grants.receive(names, names.inbound),
            grants.send(names, [names.deliveries]),
            grants.objects(names, "artifacts", ["blobs"]),
        ]

    def _audit(self) -> list[Allow]:
        names = self._names
        return [
            grants.stream(names, names.table("journal")),
            grants.tables(names, grants.READ, self._tables(["run_head", "content", "journal"])),
            grants.objects(names, "audit", ["journal"]),
            grants.objects(names, "artifacts", ["blobs"], write=False),
            grants.send(names, [names.of("audit-dead")]),
        ]

    def _agent(self, agent: str, config: AgentConfig) -> list[Allow]:
        queue = self._names.run_queue(agent)
        own = [grants.receive(self._names, queue), grants.send(self._names, [queue])]
        return [*own, *self._task(f"agent-{agent}", config)]

    def _task(self, role: str, config: AgentConfig | None = None) -> list[Allow]:
        """What an agent, a tool or a gate may: its run, its models, its secrets and what its configuration names."""
        names, kind_name = self._names, role.partition("-")
        config = config or self._config.tools.get(kind_name[2], AgentConfig(kind="code"))
        read, write = self._granted(config)
        return [
            *self._run_tables(),
            grants.tables(names, grants.READ, read),
            grants.tables(names, grants.WRITE, write),
            grants.send(names, [names.deliveries, *config.queues]),
            grants.objects(names, "artifacts", ["blobs", f"agents/{kind_name[2]}", *config.prefixes]),
            grants.objects(names, "config", [""], write=False),
            grants.secrets(names, config.secrets, self._config.secrets_from),
            *grants.models(config.models, self._config.region),
            *grants.machines(names, self._calls.of.get(role, ())),
            *([grants.guardrail()] if config.models and self._config.guardrail else []),
            *(self._people() if config.control_plane else []),
        ]

    # what several have

    def _common(self, role: str) -> list[Allow]:
        salt = grants.secrets(self._names, [SALT], self._config.secrets_from)
        made = [grants.logs(self._names, role), grants.traces(), grants.key(), salt]
        return [*made, grants.network()] if self._config.vpc_endpoints else made

    def _run_tables(self) -> list[Allow]:
        """The tables through which a run goes on. They are shared: what parts runs there is the journal's fencing, not IAM."""
        names = self._names
        written = [*collections.JOURNAL, *sorted(collections.WRITTEN_BY_RUNS)]
        return [
            grants.tables(names, grants.READ, self._tables(sorted(collections.READ_BY_RUNS))),
            grants.tables(names, grants.APPEND, self._tables(collections.APPENDED)),
            grants.tables(names, grants.WRITE, self._tables(written)),
        ]

    def _every_table(self, grown: tuple[str, ...]) -> list[Allow]:
        """Reading all, writing all; and with what only grows, to do that."""
        names = self._names
        written = [name for name in self._indexes if name not in collections.APPENDED]
        plain = dict.fromkeys(map(names.table, written), False)
        return [
            grants.every_table(names),
            grants.tables(names, grants.WRITE[len(grants.READ) :], plain),
            grants.tables(names, grown, self._tables(collections.APPENDED)),
        ]

    def _people(self) -> list[Allow]:
        """To notify people."""
        sender = self._config.email_from
        return [grants.notify(self._names), *([grants.mail(sender)] if sender else [])]

    def _events(self) -> list[Allow]:
        made = [grants.put_events(self._names)]
        return [*made, grants.publish_events(self._names)] if self._config.events_topic else made

    def _granted(self, config: AgentConfig) -> tuple[dict[str, bool], dict[str, bool]]:
        """The tables beyond those of runs that a configuration names: to read, and to write."""
        wanted: dict[str, str] = dict(config.tables)
        if config.control_plane:
            wanted |= dict.fromkeys(sorted(collections.CONTROL_PLANE & self._indexes.keys()), "write")
        read, write = (
            {
                self._full(name): name not in self._indexes or bool(self._indexes[name])
                for name in wanted
                if wanted[name] == how
            }
            for how in ("read", "write")
        )
        return read, write

    def _full(self, table: str) -> str:
        """The name of a table: one of the deployment by its collection, any other by its own."""
        return self._names.table(table) if table in self._indexes else table

    def _tables(self, collections: Iterable[str]) -> dict[str, bool]:
        return {
            self._names.table(name): bool(self._indexes[name])
            for name in collections
            if name in self._indexes
        }
