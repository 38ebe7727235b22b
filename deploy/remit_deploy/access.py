"""How to reach what is deployed: outputs as addresses that work from here, the API key, and the environment of a shell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from remit_deploy.aws import EMULATOR_REGION, Place, refused
from remit_deploy.deployment import Deployment
from remit_deploy.reading import Reading

_EXECUTE = re.compile(r"https://(?P<id>\w+)\.execute-api\.[\w-]+\.[\w.]+/(?P<rest>.*)")
SHARED = (
    "REMIT_STORE",
    "REMIT_BLOBS",
    "REMIT_ARCHIVE",
    "REMIT_BUS",
    "REMIT_ENGINE",
    "REMIT_SECRETS",
    "REMIT_GUARDRAIL",
)
"""Of a function's variables, those that tell where things are."""

KEY_ID, KEY, API = "ApiKeyId", "ApiKey", "ApiUrl"


def outputs(deployment: Deployment) -> dict[str, str]:
    """The outputs of the stack, with addresses of the emulator where it is one. Raises ConfigError E873."""
    return {name: reachable(deployment.place, value) for name, value in deployment.running().items()}


def reachable(place: Place, value: str) -> str:
    """An address of API Gateway as it can be reached: the emulator has all of them at its own."""
    found = _EXECUTE.fullmatch(value) if place.is_emulator else None
    if not found:
        return value
    rest = found["rest"].rstrip("/")
    return f"{place.endpoint}/_aws/execute-api/{found['id']}/{rest or '$default'}"


def api_key(deployment: Deployment) -> str:
    """The value of the API key of the usage plan; empty when the API takes tokens instead."""
    id = deployment.running().get(KEY_ID, "")
    if not id:
        return ""
    with refused("read the API key", action="apigateway:GET"):
        found = deployment.account.client("apigateway").get_api_key(apiKey=id, includeValue=True)
    return str(found["value"])


def shell(deployment: Deployment) -> dict[str, str]:
    """Variables that let every other command of Remit work on this deployment: those of its functions, as far as they tell
    where things are. Raises ConfigError E873."""
    deployment.running()
    reading = Reading(deployment.stack.template())
    where = {"ACCOUNT": deployment.account.id, "REGION": deployment.place.region}
    functions = [r["Properties"] for r in reading.resources.values() if r["Type"] == "AWS::Lambda::Function"]
    api: Mapping[str, Any] = next(
        (f for f in functions if f.get("FunctionName") == f"{deployment.name}-api"), {}
    )
    found = {
        name: _filled(reading.text(value), where)
        for name, value in api.get("Environment", {}).get("Variables", {}).items()
        if name in SHARED
    }
    found = {"REMIT_DEPLOYMENT": deployment.name, **found, "AWS_REGION": deployment.place.region}
    if deployment.place.is_emulator:
        return found | emulator_shell(deployment.place.endpoint)
    return found | ({"AWS_PROFILE": deployment.place.profile} if deployment.place.profile else {})


def exports(variables: Mapping[str, str]) -> list[str]:
    """Variables as lines for a shell, in which no value is anything but itself."""
    return [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]


def _filled(text: str, where: Mapping[str, str]) -> str:
    for name, value in where.items():
        text = text.replace(name, value)
    return text


def emulator_shell(endpoint: str) -> dict[str, str]:
    """Variables by which boto3 and the AWS CLI reach the emulator, as its root user."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": EMULATOR_REGION,
        "AWS_DEFAULT_REGION": EMULATOR_REGION,
    }
