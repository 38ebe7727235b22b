"""The API at API Gateway: a REST API with keys and a usage plan, or an HTTP API for tokens of another issuer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_apigateway as gateway
from aws_cdk import aws_apigatewayv2 as http
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_apigatewayv2_authorizers import HttpJwtAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct

from remit_deploy.config import DeployConfig
from remit_deploy.constructs.arguing import argued
from remit_deploy.constructs.functions import Functions
from remit_deploy.constructs.identity import Identity
from remit_deploy.constructs.logs import log_group
from remit_deploy.constructs.shared import Shared

TLS = "SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09"
HEADERS = [
    "authorization",
    "content-type",
    "idempotency-key",
    "x-api-key",
    "x-amz-date",
    "x-amz-security-token",
]
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
ACCESS = {
    "request_id": "$context.requestId",
    "ip": "$context.identity.sourceIp",
    "time": "$context.requestTime",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "status": "$context.status",
    "bytes": "$context.responseLength",
    "latency_ms": "$context.responseLatency",
    "trace_id": "$context.xrayTraceId",
    "refused": "$context.error.message",
}


class RestApi(Construct):
    """`/chat` to function `chat`, everything else to `api`; throttled, logged, traced, with a key per caller."""

    def __init__(
        self, scope: Construct, id: str, shared: Shared, functions: Functions, identity: Identity | None
    ) -> None:
        super().__init__(scope, id)
        self._config = config = shared.config
        throttling = config.throttling
        self.api = rest_api(
            self,
            config.deployment,
            f"The API of {config.deployment}",
            stage_options(self, shared, config.environment, "access", throttling.rate, throttling.burst),
            logs_as=shared.removal,
            default_cors_preflight_options=_cors(config),
        )
        self._method = self._method_options(identity)
        self._routes(functions)
        readable_refusals(self.api, config.cors_origins)
        self.key = self._usage_plan()
        if identity is None:
            argued(
                self.api,
                "callers are known by their API key here, and by their key of Remit; `auth` asks for tokens",
                nag=["COG4", "APIG4"],
                checkov=["CKV_AWS_59"],
            )

    @property
    def url(self) -> str:
        """Where the API is."""
        return str(self.api.url)

    def _method_options(self, identity: Identity | None) -> gateway.MethodOptions:
        if identity is None:
            return gateway.MethodOptions(api_key_required=True)
        authorizer = gateway.CognitoUserPoolsAuthorizer(
            self, "Users", cognito_user_pools=[identity.pool], results_cache_ttl=Duration.minutes(5)
        )
        return gateway.MethodOptions(
            api_key_required=True,
            authorizer=authorizer,
            authorization_type=gateway.AuthorizationType.COGNITO,
        )

    def _routes(self, functions: Functions) -> None:
        def integration(function: lambda_.Function) -> gateway.LambdaIntegration:
            return gateway.LambdaIntegration(function, proxy=True, allow_test_invoke=False)

        if "chat" in functions.by_role:
            chat = self.api.root.add_resource("chat")
            for resource in (chat, chat.add_resource("{proxy+}")):
                for method in ("GET", "POST"):
                    resource.add_method(method, integration(functions["chat"]), **self._given())
        everything = self.api.root.add_resource("{proxy+}")
        for method in METHODS[:-1] if self._config.cors_origins else ["ANY"]:
            everything.add_method(method, integration(functions["api"]), **self._given())
        if self._config.cors_origins:
            argued(
                self.api,
                "a browser asks with OPTIONS what is allowed, and sends neither key nor token with that",
                nag=["APIG4", "COG4"],
                checkov=["CKV_AWS_59"],
            )

    def _given(self) -> dict[str, object]:
        return {name: value for name, value in self._method._values.items() if value is not None}

    def _usage_plan(self) -> gateway.IApiKey:
        throttling = self._config.throttling
        key = self.api.add_api_key("Key", api_key_name=self._config.deployment)
        plan = self.api.add_usage_plan(
            "Plan",
            name=self._config.deployment,
            throttle=gateway.ThrottleSettings(rate_limit=throttling.rate, burst_limit=throttling.burst),
            quota=gateway.QuotaSettings(limit=throttling.per_day, period=gateway.Period.DAY),
        )
        plan.add_api_key(key)
        plan.add_api_stage(stage=self.api.deployment_stage)
        return key


def rest_api(
    scope: Construct,
    name: str,
    description: str,
    stage: gateway.StageOptions,
    logs_as: RemovalPolicy | None = None,
    **more: Any,
) -> gateway.RestApi:
    """A REST API over TLS 1.2 at least, in this region.

    API Gateway writes all logs of an account under one role: one API of a stack brings it, with `logs_as` its removal policy.
    """
    api = gateway.RestApi(
        scope,
        "Api",
        rest_api_name=name,
        description=description,
        endpoint_types=[gateway.EndpointType.REGIONAL],
        deploy_options=stage,
        cloud_watch_role=logs_as is not None,
        cloud_watch_role_removal_policy=logs_as,
        **more,
    )
    api.node.try_remove_child("Endpoint")  # an output, which the template names as it names all
    raw = api.node.default_child
    raw.add_property_override("SecurityPolicy", TLS)
    raw.add_property_override("EndpointAccessMode", "BASIC")
    argued(
        api,
        "the functions check what they are sent, and say in their own words what is wrong with it",
        nag=["APIG2"],
    )
    argued(
        api,
        "it is the role by which API Gateway writes its logs, as AWS defines it",
        nag=[
            "IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]"
        ],
    )
    argued(api, "answers differ by who asks: a cache would mix them", checkov=["CKV_AWS_120"])
    return api


def stage_options(
    scope: Construct, shared: Shared, name: str, log: str, rate: float, burst: int
) -> gateway.StageOptions:
    """A stage that is throttled, logged to `log`, and traced."""
    group = log_group(scope, "Access", shared, shared.names.log_group(log))
    return gateway.StageOptions(
        stage_name=name,
        throttling_rate_limit=rate,
        throttling_burst_limit=burst,
        tracing_enabled=True,
        metrics_enabled=True,
        logging_level=gateway.MethodLoggingLevel.ERROR,
        data_trace_enabled=False,
        access_log_destination=gateway.LogGroupLogDestination(group),
        access_log_format=gateway.AccessLogFormat.custom(
            "{" + ",".join(f'"{name}":"{value}"' for name, value in ACCESS.items()) + "}"
        ),
    )


def readable_refusals(api: gateway.RestApi, origins: Sequence[str] = ()) -> None:
    """A browser may read a refusal too, where one origin is allowed (API Gateway can name but one there)."""
    headers = {"Access-Control-Allow-Origin": f"'{origins[0]}'"} if len(origins) == 1 else None
    for kind in ("DEFAULT_4_XX", "DEFAULT_5_XX"):
        api.add_gateway_response(
            kind.replace("_", ""),
            type=getattr(gateway.ResponseType, kind),
            response_headers=headers,
            templates={"application/json": '{"error": {"message": $context.error.messageString}}'},
        )


class TokenApi(Construct):
    """The same routes at an HTTP API, which lets through tokens of `issuer` for one of `audience`."""

    def __init__(self, scope: Construct, id: str, shared: Shared, functions: Functions) -> None:
        super().__init__(scope, id)
        config = shared.config
        self.api = http.HttpApi(
            self,
            "Api",
            api_name=config.deployment,
            create_default_stage=False,
            cors_preflight=http.CorsPreflightOptions(
                allow_origins=list(config.cors_origins),
                allow_headers=HEADERS,
                allow_methods=[http.CorsHttpMethod(method) for method in METHODS],
            )
            if config.cors_origins
            else None,
        )
        authorizer = HttpJwtAuthorizer(
            "Tokens", config.auth.issuer, jwt_audience=list(config.auth.audience), authorizer_name="tokens"
        )
        if "chat" in functions.by_role:
            for path in ("/chat", "/chat/{proxy+}"):
                methods = [http.HttpMethod.GET, http.HttpMethod.POST]
                self._route(path, methods, functions["chat"], authorizer)
        methods = [http.HttpMethod(method) for method in METHODS[:-1]]
        self._route("/{proxy+}", methods, functions["api"], authorizer)
        stage = http.HttpStage(
            self,
            "Stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            throttle=http.ThrottleSettings(
                rate_limit=config.throttling.rate, burst_limit=config.throttling.burst
            ),
        )
        group = log_group(self, "Access", shared, shared.names.log_group("access"))
        raw = stage.node.default_child
        fields = {**ACCESS, "refused": "$context.authorizer.error"}
        fields.pop("trace_id")
        raw.access_log_settings = http.CfnStage.AccessLogSettingsProperty(
            destination_arn=group.log_group_arn,
            format="{" + ",".join(f'"{name}":"{value}"' for name, value in fields.items()) + "}",
        )

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"https://{self.api.api_id}.execute-api.{Aws.REGION}.{Aws.URL_SUFFIX}/"

    def _route(
        self,
        path: str,
        methods: list[http.HttpMethod],
        function: lambda_.Function,
        authorizer: HttpJwtAuthorizer,
    ) -> None:
        self.api.add_routes(
            path=path,
            methods=methods,
            integration=HttpLambdaIntegration(f"to-{function.node.id}", function),
            authorizer=authorizer,
        )


def _cors(config: DeployConfig) -> gateway.CorsOptions | None:
    if not config.cors_origins:
        return None
    return gateway.CorsOptions(
        allow_origins=list(config.cors_origins),
        allow_methods=METHODS,
        allow_headers=HEADERS,
        max_age=Duration.hours(1),
    )
