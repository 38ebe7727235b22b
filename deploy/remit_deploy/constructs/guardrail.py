"""The Bedrock Guardrail of a deployment."""

from __future__ import annotations

from typing import Any

from aws_cdk import aws_bedrock as bedrock
from constructs import Construct

from remit_deploy.config import GuardrailConfig
from remit_deploy.constructs.allow import GUARDRAIL
from remit_deploy.constructs.shared import Shared

FILTERS = ("HATE", "INSULTS", "SEXUAL", "VIOLENCE", "MISCONDUCT")


class Guardrail(Construct):
    """Filters of content, denied topics, words and personal data, and grounding; at a version that does not change by itself."""

    def __init__(self, scope: Construct, id: str, shared: Shared, own: GuardrailConfig) -> None:
        super().__init__(scope, id)
        filters: list[dict[str, Any]] = [
            {"type": kind, "inputStrength": own.strength, "outputStrength": own.strength} for kind in FILTERS
        ]
        filters.append({"type": "PROMPT_ATTACK", "inputStrength": own.strength, "outputStrength": "NONE"})
        self.guardrail = bedrock.CfnGuardrail(
            self,
            "Guardrail",
            name=shared.names.deployment,
            description=f"Input and output of {shared.names.deployment}",
            blocked_input_messaging=own.blocked_input,
            blocked_outputs_messaging=own.blocked_output,
            kms_key_arn=shared.key.key_arn,
            content_policy_config={"filtersConfig": filters},
            topic_policy_config={
                "topicsConfig": [
                    {"name": name, "definition": meaning, "type": "DENY"}
                    for name, meaning in own.topics.items()
                ]
            }
            if own.topics
            else None,
            word_policy_config={
                "wordsConfig": [{"text": word} for word in own.words],
                "managedWordListsConfig": [{"type": "PROFANITY"}],
            },
            sensitive_information_policy_config={
                "piiEntitiesConfig": [{"type": kind, "action": "ANONYMIZE"} for kind in own.pii]
            }
            if own.pii
            else None,
            contextual_grounding_policy_config={
                "filtersConfig": [
                    {"type": kind, "threshold": own.grounding} for kind in ("GROUNDING", "RELEVANCE")
                ]
            }
            if own.grounding
            else None,
        )
        self.version = bedrock.CfnGuardrailVersion(
            self, "Version", guardrail_identifier=self.guardrail.attr_guardrail_id, description="as deployed"
        )

        shared.stands_for(GUARDRAIL, self.guardrail.attr_guardrail_arn)

    @property
    def setting(self) -> str:
        """`id:version`, for REMIT_GUARDRAIL."""
        return f"{self.guardrail.attr_guardrail_id}:{self.version.attr_version}"
