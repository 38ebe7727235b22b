"""A small deployment on the emulator: a Lambda function for each Task, a state machine for each workflow, one SQLite file."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.workflows.stepfunctions import flows_app

from remit.adapters.aws.session import Session
from remit.bootstrap import App, open_app
from remit.core.states.arns import Bindings
from remit.core.states.compile import compile_for_stepfunctions
from remit.settings import Settings

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
ROLE = "arn:aws:iam::000000000000:role/flows"
CODE = f"""
import os, sys
sys.path[:0] = {[str(ROOT), str(ROOT / "src"), str(ROOT / "packs"), *[p for p in sys.path if p.endswith("site-packages")]]!r}
home = os.environ["REMIT_TEST_HOME"]
fault = os.path.join(home, "fault")
if os.path.exists(fault):  # this one dies there, and none after it
    os.environ["REMIT_FAULT"] = open(fault).read()
    os.remove(fault)
from remit.functions.advance import handler as serve


def handler(event, context):
    print("called")  # the emulator answers sooner to a handler that logs
    return serve(event, context)
"""


class Deployment:
    """One deployment, apart from all others on the emulator by its name."""

    def __init__(
        self,
        url: str,
        home: Path,
        monkeypatch: pytest.MonkeyPatch,
        *,
        app_file: Path = HERE / "flows_app.py",
        documents: Mapping[str, dict[str, Any]] = flows_app.DOCUMENTS,
        lambdas: Mapping[str, str] = {},
    ) -> None:
        self.app_file, self.documents = app_file, documents
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        monkeypatch.setenv("REMIT_TEST_HOME", str(home))
        monkeypatch.setattr(flows_app, "HOME", home)
        self.url, self.home, self.name = url, home, f"r{uuid4().hex[:8]}"
        clients = Session(region="us-east-1", endpoint_url=url)
        self.functions, self.machines = clients("lambda"), clients("stepfunctions")
        self.events = clients("events")
        self._made: set[str] = set()
        self.bindings = Bindings(
            partition="aws",
            region="us-east-1",
            account="000000000000",
            prefix=self.name,
            event_bus=self.name,
            governed=True,
            lambdas=lambdas,
        )

    def app(self) -> App:
        """The deployment as a terminal or a server of it sees it."""
        return open_app(self.settings(), app_file=str(self.app_file))

    def settings(self, **more: Any) -> Settings:
        given: dict[str, Any] = {
            "home": self.home,
            "store": f"sqlite:///{self.home}/remit.db",
            "deployment": self.name,
            "engine": "stepfunctions",
            "aws_endpoint": self.url,
            "lease_ttl_s": 2.0,
        }
        return Settings(**{**given, **more})

    def deploy(self, *workflows: str) -> None:
        """Make the machines of these workflows, and the functions that they call and that hear of them."""
        for name in workflows:
            made = compile_for_stepfunctions(self.documents[name], self.bindings, name)
            assert made.problems == ()
            for arn in dict.fromkeys(bound.arn for bound in made.bound if bound.own):
                self._function(arn.rpartition(":")[2])
            self.machines.create_state_machine(
                name=f"{self.name}-{name}", definition=json.dumps(made.document), roleArn=ROLE
            )

    def listen(self, workflow: str) -> None:
        """Have the function of a workflow hear how its executions stand."""
        rule, function = f"{self.name}-{workflow}", f"{self.name}-agent-{workflow}"
        self._function(function)
        machine = self.bindings.machine(workflow)
        pattern = {
            "source": ["aws.states"],
            "detail-type": ["Step Functions Execution Status Change"],
            "detail": {"stateMachineArn": [machine]},
        }
        self.events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
        arn = f"arn:aws:lambda:us-east-1:000000000000:function:{function}"
        self.events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": arn}])

    def _function(self, name: str) -> None:
        if name in self._made:
            return
        self._made.add(name)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as file:
            file.writestr("main.py", CODE)
        self.functions.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role=ROLE,
            Handler="main.handler",
            Timeout=60,
            Code={"ZipFile": packed.getvalue()},
            Environment={"Variables": self._environment()},
        )

    def _environment(self) -> dict[str, str]:
        return {
            "REMIT_HOME": str(self.home),
            "REMIT_STORE": f"sqlite:///{self.home}/remit.db",
            "REMIT_APP": str(self.app_file),
            "REMIT_DEPLOYMENT": self.name,
            "REMIT_ENGINE": "stepfunctions",
            "REMIT_LEASE_TTL_S": "2",
            "REMIT_TEST_HOME": str(self.home),
            "AWS_ENDPOINT_URL": self.url,
        }
