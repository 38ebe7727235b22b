"""Template 1: agents behind an API, with their state, their workflows and all that watches over them, in one stack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import CfnOutput, DefaultStackSynthesizer, Stack
from constructs import Construct
from msgspec.structs import replace

from remit.adapters.store.dynamodb import schema
from remit.bootstrap.collections import COLLECTIONS
from remit.functions.front import VIEWER
from remit_deploy.config import DEFAULT, AgentConfig, DeployConfig
from remit_deploy.constructs.alarms import Alarms
from remit_deploy.constructs.api import RestApi, TokenApi
from remit_deploy.constructs.buckets import Buckets
from remit_deploy.constructs.budget import Budget
from remit_deploy.constructs.console import Console
from remit_deploy.constructs.dashboard import Dashboard
from remit_deploy.constructs.events import Bus, Schedules
from remit_deploy.constructs.firewall import Firewall
from remit_deploy.constructs.functions import Functions, feed
from remit_deploy.constructs.guardrail import Guardrail
from remit_deploy.constructs.identity import ROLES, Identity
from remit_deploy.constructs.logs import let_deliver
from remit_deploy.constructs.machines import Machines, callers, compiled
from remit_deploy.constructs.metrics import Metrics
from remit_deploy.constructs.network import Network
from remit_deploy.constructs.queues import Queues, Topics
from remit_deploy.constructs.roles import Calls, Roles
from remit_deploy.constructs.secrets import Secrets
from remit_deploy.constructs.shared import Shared, tag
from remit_deploy.constructs.tables import Tables
from remit_deploy.constructs.trail import Trail
from remit_deploy.names import Names


class SingleAgent(Stack):
    """The stack `NAME`. It knows no account: the same template serves each environment."""

    def __init__(self, scope: Construct, config: DeployConfig) -> None:
        name = config.deployment
        if config.for_emulator:
            config = replace(config, guardrail=None)  # it knows none, and functions must not name one
        config = replace(config, agents={DEFAULT: AgentConfig(), **config.agents})
        super().__init__(
            scope,
            name,
            stack_name=name,
            description=f"Remit: {name}",
            analytics_reporting=False,
            suppress_template_indentation=True,  # CloudFormation takes at most 1 MB
            termination_protection=config.environment == "prod",
            synthesizer=DefaultStackSynthesizer(
                generate_bootstrap_version_rule=False,
                file_assets_bucket_name=f"{name}-assets-${{AWS::AccountId}}-${{AWS::Region}}",
            ),
        )
        self.config = config
        shared = Shared(self, config)
        tables = schema.tables(COLLECTIONS, name)
        buckets = Buckets(self, "Buckets", shared)
        queues, topics = Queues(self, "Queues", shared), Topics(self, "Topics", shared)
        Secrets(self, "Secrets", shared)
        workflows = compiled(config)
        guardrail = Guardrail(self, "Guardrail", shared, config.guardrail) if config.guardrail else None
        network = Network(self, "Network", shared) if config.vpc_endpoints else None
        console = Console(self, "Console", shared, buckets.console) if buckets.console else None
        indexes = {table.collection: tuple(index.name for index in table.indexes) for table in tables}
        functions = Functions(
            self,
            "Functions",
            shared,
            Roles(config, indexes, Calls(callers(workflows))).all(),
            environment(config, guardrail.setting if guardrail else ""),
            network,
        )
        feed(functions, queues, Tables(self, "Tables", shared, tables))
        self._delivery = let_deliver(self, shared)
        machines = Machines(self, "Machines", shared, workflows, functions, queues)
        Bus(self, "Events", shared, queues)
        Schedules(self, "Schedules", shared, functions, queues)
        outputs = self._front(shared, functions, topics, queues, machines, console)
        if config.cloudtrail:
            Trail(self, "Trail", shared, buckets)
        Budget(self, "Budget", shared, topics.alerts)
        if console is not None and buckets.console is not None:
            outputs["ConsoleUrl"] = f"{console.url}/"
            outputs["ConsoleDomain"] = console.distribution.distribution_domain_name
            outputs["ConsoleBucket"] = buckets.console.bucket_name
        outputs |= {
            "Deployment": name,
            "AlertsTopic": topics.alerts.topic_arn,
            "ArtifactsBucket": buckets.artifacts.bucket_name,
            "AuditBucket": buckets.audit.bucket_name,
            "ConfigBucket": buckets.config.bucket_name,
            "DashboardName": name,
        }
        for key, value in outputs.items():
            CfnOutput(self, key, value=value)
        tag(self, config)

    def _front(
        self,
        shared: Shared,
        functions: Functions,
        topics: Topics,
        queues: Queues,
        machines: Machines,
        console: Console | None,
    ) -> dict[str, Any]:
        """The doors, and what watches them and everything behind them."""
        config, outputs = self.config, {}
        rest = identity = None
        if config.auth.kind == "cognito":
            identity = Identity(self, "Identity", shared, console.url if console else "")
            outputs = {
                "UserPoolId": identity.pool.user_pool_id,
                "UserPoolClientId": identity.client.user_pool_client_id,
            }
        if config.auth.kind == "jwt":
            door = TokenApi(self, "Api", shared, functions)
            metrics = Metrics(shared, {"ApiId": door.api.api_id}, "5xx")
            outputs["ApiUrl"] = door.url
        else:
            rest = RestApi(self, "Api", shared, functions, identity)
            metrics = Metrics(shared, {"ApiName": config.deployment, "Stage": config.environment}, "5XXError")
            outputs |= {"ApiUrl": rest.url, "ApiKeyId": rest.key.key_id}
            if config.waf:
                Firewall(self, "Firewall", shared, rest.api.deployment_stage, self._delivery)
        if console is not None:
            self._open(console, shared, functions, rest)
        Alarms(self, "Alarms", shared, topics.alerts, metrics, functions, queues, machines)
        Dashboard(self, "Dashboard", shared, metrics, functions, queues, machines)
        return outputs

    def _open(self, console: Console, shared: Shared, functions: Functions, rest: RestApi | None) -> None:
        """The console's own door to the API, which must know the address that people open."""
        console.door.open(functions, rest.api if rest else None)
        if self.config.waf:
            stage = console.door.api.deployment_stage
            Firewall(self, "ConsoleFirewall", shared, stage, self._delivery, "console", VIEWER)
        functions["api"].add_environment("REMIT_URL", console.url)


def environment(config: DeployConfig, guardrail: str) -> Mapping[str, str]:
    """The variables of every function, with the placeholders of names in them."""
    name, auth, names = config.deployment, config.auth, Names(config.deployment)
    artifacts, audit = names.bucket("artifacts"), names.bucket("audit")
    given = {
        "REMIT_HOME": "/tmp/remit",
        "REMIT_DEPLOYMENT": name,
        "REMIT_STORE": f"dynamodb://{name}?create=no",
        "REMIT_BLOBS": f"s3://{artifacts}/blobs",
        "REMIT_ARCHIVE": f"s3://{audit}/journal",
        "REMIT_BUS": "aws+sns" if config.events_topic else "aws",
        "REMIT_ENGINE": config.engine,
        "REMIT_SECRETS": config.secrets_from,
        "REMIT_NOTIFY_PRIVATE": "0",  # who writes a notifier must not reach what listens beside a function
        "REMIT_EMF": "1",
        "REMIT_LOG": "info",
        "REMIT_LOG_JSON": "1",
        "REMIT_MODEL": config.model,
        "REMIT_GUARDRAIL": guardrail,
        "REMIT_SMTP_URL": f"ses://?from={config.email_from}" if config.email_from else "",
        "REMIT_CHAT_AGENT": config.chat_agent,
        "REMIT_CHAT_ORIGINS": ",".join(config.cors_origins),
        "REMIT_TENANT_CLAIM": "" if auth.kind == "api_key" else auth.tenant_claim,
        "REMIT_ROLES_CLAIM": f"custom:{ROLES}" if auth.kind == "cognito" else auth.roles_claim,
        **config.environ,
    }
    return {key: value for key, value in given.items() if value}
