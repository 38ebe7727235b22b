"""The console's door to the API: a REST API of its own, whose one key CloudFront alone holds."""

from __future__ import annotations

from aws_cdk import Aws, RemovalPolicy
from aws_cdk import aws_apigateway as gateway
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from remit.functions.front import STAGE
from remit_deploy.constructs.api import readable_refusals, rest_api, stage_options
from remit_deploy.constructs.arguing import argued
from remit_deploy.constructs.functions import Functions
from remit_deploy.constructs.shared import Shared

KEY = "deployment/console_door"
"""The secret that is the door's key. No function reads it, and no person needs it."""

RATE, BURST = 50, 200
"""Requests per second, and the most at once: a page asks for a dozen things when it opens, and then follows what changes."""

PATHS = ("api", "chat")
"""What the console asks for. Nothing else of the API is behind this door."""


class Door(Construct):
    """Everything under `PATHS` to function `api`, for whoever has the key: then Remit itself asks for a session or a key of its own.

    It stands apart from the API of other callers, whose keys and tokens mean nothing here, as its key means nothing there.
    """

    def __init__(self, scope: Construct, id: str, shared: Shared) -> None:
        super().__init__(scope, id)
        name = shared.names.of("console")
        self._secret = self._made_up(shared)
        self.api = rest_api(
            self,
            name,
            f"The API behind the console of {shared.names.deployment}",
            stage_options(self, shared, STAGE, "console", RATE, BURST),
            logs_as=shared.removal if shared.config.auth.kind == "jwt" else None,
            binary_media_types=["*/*"],  # files that people attach, and those that agents made
        )
        readable_refusals(self.api)
        key = self.api.add_api_key("Key", api_key_name=name, value=self.key)
        plan = self.api.add_usage_plan(
            "Plan", name=name, throttle=gateway.ThrottleSettings(rate_limit=RATE, burst_limit=BURST)
        )
        plan.add_api_key(key)
        plan.add_api_stage(stage=self.api.deployment_stage)
        argued(
            self.api,
            "who may do what is Remit's to say, by session or key: CloudFront has shown the key of this door, and nobody else has it",
            nag=["COG4", "APIG4"],
            checkov=["CKV_AWS_59"],
        )
        if not shared.config.waf:
            argued(self.api, "`waf` is off", nag=["APIG3"])

    @property
    def key(self) -> str:
        """The key, as CloudFormation fills it in: no template and no plan has its value."""
        return f"{{{{resolve:secretsmanager:{self._secret.ref}:SecretString}}}}"

    @property
    def domain(self) -> str:
        """Where it is. Of the stage it says the name alone: what is in the stage knows the console's address, and would wait for it."""
        return f"{self.api.rest_api_id}.execute-api.{Aws.REGION}.{Aws.URL_SUFFIX}"

    def open(self, functions: Functions, other: gateway.RestApi | None) -> None:
        """Let function `api` answer. `other` is the API of other callers, which brings the role that both write their logs under."""
        if other is not None:
            self.api.deployment_stage.node.add_dependency(other.node.find_child("Account"))
        to = gateway.LambdaIntegration(functions["api"], proxy=True, allow_test_invoke=False)
        for path in PATHS:
            resource = self.api.root.add_resource(path)
            for each in (resource, resource.add_resource("{proxy+}")):
                each.add_method("ANY", to, api_key_required=True)

    def _made_up(self, shared: Shared) -> secretsmanager.CfnSecret:
        deployment = shared.names.deployment
        secret = secretsmanager.CfnSecret(
            self,
            "Secret",
            name=f"{deployment}/{KEY}",
            description=f"By which API Gateway knows CloudFront: the console of {deployment}",
            kms_key_id=shared.key.key_arn,
            generate_secret_string=secretsmanager.CfnSecret.GenerateSecretStringProperty(
                password_length=64, exclude_punctuation=True
            ),
        )
        secret.apply_removal_policy(RemovalPolicy.DESTROY)  # the next console gets a new one
        argued(
            secret,
            "it opens what the console's address opens to everybody, and is known to CloudFront and API Gateway alone",
            nag=["SMG4"],
        )
        return secret
