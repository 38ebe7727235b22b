"""Who may sign in: a Cognito user pool, whose users belong to a tenant."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from remit.server.oidc import CALLBACK
from remit_deploy.constructs.arguing import argued
from remit_deploy.constructs.shared import Shared

TENANT, ROLES = "tenant", "roles"


class Identity(Construct):
    """A pool in which only an administrator makes users and says their tenant and roles, and a client for a console or a script."""

    def __init__(self, scope: Construct, id: str, shared: Shared, console_url: str = "") -> None:
        super().__init__(scope, id)
        config = shared.config
        callbacks = [f"{origin}/" for origin in config.cors_origins]
        if console_url:
            callbacks.append(console_url + CALLBACK)
        self.pool = cognito.UserPool(
            self,
            "Pool",
            user_pool_name=config.deployment,
            self_sign_up_enabled=False,
            sign_in_aliases=cognito.SignInAliases(email=True),
            standard_attributes=cognito.StandardAttributes(
                email=cognito.StandardAttribute(required=True, mutable=True)
            ),
            custom_attributes={
                TENANT: cognito.StringAttribute(max_len=128, mutable=True),
                ROLES: cognito.StringAttribute(max_len=512, mutable=True),
            },
            password_policy=cognito.PasswordPolicy(
                min_length=14,
                require_lowercase=True,
                require_uppercase=True,
                require_digits=True,
                require_symbols=True,
                temp_password_validity=Duration.days(3),
            ),
            mfa=cognito.Mfa.OPTIONAL,
            mfa_second_factor=cognito.MfaSecondFactor(sms=False, otp=True),
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            deletion_protection=config.environment == "prod",
            removal_policy=shared.removal,
        )
        argued(
            self.pool,
            "a second factor by an app is offered; who runs the deployment decides whether it is required",
            nag=["COG2"],
        )
        argued(
            self.pool,
            "threat protection is charged by user: switch to the plan Plus where that is worth it",
            nag=["COG3", "COG8"],
        )
        self.client = self.pool.add_client(
            "Client",
            user_pool_client_name=config.deployment,
            generate_secret=False,
            prevent_user_existence_errors=True,
            auth_flows=cognito.AuthFlow(user_srp=True, admin_user_password=True),
            id_token_validity=Duration.hours(1),
            access_token_validity=Duration.hours(1),
            refresh_token_validity=Duration.days(1),
            # a user must not be able to move to another tenant
            write_attributes=cognito.ClientAttributes().with_standard_attributes(email=True),
            read_attributes=cognito.ClientAttributes()
            .with_standard_attributes(email=True)
            .with_custom_attributes(TENANT, ROLES),
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(authorization_code_grant=True),
                scopes=[cognito.OAuthScope.OPENID, cognito.OAuthScope.EMAIL],
                callback_urls=callbacks or ["http://localhost:8700/"],
            ),
        )
        if config.auth.domain:
            self.pool.add_domain(
                "Domain", cognito_domain=cognito.CognitoDomainOptions(domain_prefix=config.auth.domain)
            )
