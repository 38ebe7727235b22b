"""Secrets. What is shared by the functions is made up by AWS; all else is made empty and filled by hand. No template has a value."""

from __future__ import annotations

from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from remit_deploy.constructs.arguing import argued
from remit_deploy.constructs.roles import AUDIT_KEY, SALT
from remit_deploy.constructs.shared import Shared


class Secrets(Construct):
    """The salt and the audit key of the deployment, and one secret for each `tenant/name` of the configuration.

    With Parameter Store there are none: CloudFormation cannot make its secure strings, so they are made by who fills them in.
    """

    def __init__(self, scope: Construct, id: str, shared: Shared) -> None:
        super().__init__(scope, id)
        config = shared.config
        if config.secrets_from != "secretsmanager":
            return
        self._shared = shared
        for path in (SALT, AUDIT_KEY):
            made_up = secretsmanager.CfnSecret.GenerateSecretStringProperty(password_length=64)
            self._secret(path, "a new one would not fit what was written with the old", made_up)
        for path in config.secrets:
            self._secret(
                path,
                "a credential of another system, which changes it; Remit reads the new value within minutes",
            )

    def _secret(
        self,
        path: str,
        why_not_rotated: str,
        made_up: secretsmanager.CfnSecret.GenerateSecretStringProperty | None = None,
    ) -> None:
        deployment = self._shared.names.deployment
        secret = secretsmanager.CfnSecret(
            self,
            path.replace("/", "-"),
            name=f"{deployment}/{path}",
            description=f"`{path}` for {deployment}",
            kms_key_id=self._shared.key.key_arn,
            generate_secret_string=made_up,
        )
        secret.apply_removal_policy(self._shared.removal)
        argued(secret, why_not_rotated, nag=["SMG4"])
