"""An agent that makes one call of a platform's tool, through the real gateway, at stand-ins."""

from __future__ import annotations

from typing import Any

from tests.packs.platforms.standins import github, jira, servicenow, slack
from tests.packs.platforms.standins.base import Standin

from remit import agent
from remit.bootstrap import App
from remit.core.errors import ToolError
from remit.core.task import Result
from remit.sdk import CodeAgent, FunctionTool
from remit.settings import Connection
from remit.testing import app_for_tests, task
from remit.testing.apps import BOSS
from remit_packs.platforms import GITHUB, JIRA, SERVICENOW, SLACK

TOOLS: tuple[FunctionTool, ...] = (*GITHUB, *SLACK, *JIRA, *SERVICENOW)
STANDINS = {
    "github": github.GitHub,
    "slack": slack.Slack,
    "jira": jira.Jira,
    "servicenow": servicenow.ServiceNow,
}
SECRETS = {
    "github_private_key": github.PEM,
    "slack_client_secret": "slack-client-secret-1234",
    "slack_refresh_token": "xoxe-1-first",
    "jira_client_secret": "jira-client-secret-1234",
    "servicenow_client_secret": "servicenow-client-secret-1234",
}


def connection(there: Standin, **more: Any) -> Connection:
    """How a stand-in is connected: as its platform is meant to be, with credentials that end."""
    ways: dict[str, dict[str, str]] = {
        "github": {"auth": "app", "client_id": github.APP, "installation": github.INSTALLATION},
        "slack": {"auth": "refresh_token", "client_id": "1.2"},
        "jira": {"auth": "client_credentials", "client_id": "svc", "token_url": f"{there.base}/oauth/token"},
        "servicenow": {"auth": "client_credentials", "client_id": "svc"},
    }
    return Connection(**{"url": there.base, "private": True, **ways[there.platform], **more})  # type: ignore[arg-type]


def caller(tool: str, given: dict[str, Any]) -> CodeAgent:
    """An agent that makes one call, and gives its answer or the failure that it was told."""

    @agent(name="caller", tools=list(TOOLS))
    async def act(input: Any, memory: Any, context: Any) -> Any:
        try:
            return await context.call(tool, **given)
        except ToolError as error:
            return f"{error.code}: {error.message}"

    made: CodeAgent = act
    return made


def opened(there: Standin, tool: str, given: dict[str, Any], **more: Any) -> App:
    """The program, connected to a stand-in."""
    settings = {"connections": {there.platform: connection(there)}, "secrets": SECRETS, **more}
    return app_for_tests(caller(tool, given), **settings)


async def answered(app: App) -> Result:
    """The result of the call; whatever waits for a person is approved."""
    result = await app.run(task("caller"))
    for approval in (await app.approvals.list("local")).items:
        if approval["reason"] == "policy":
            await app.approvals.decide(approval["approval_id"], "local", BOSS, "approve")
            result = await app.run(task("caller"))
    return result


async def called(there: Standin, tool: str, **given: Any) -> Any:
    """What a tool answers, approved where it must be."""
    async with opened(there, tool, given) as app:
        return (await answered(app)).result_payload
