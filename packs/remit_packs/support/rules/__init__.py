"""The offline `rules` model of this pack: plain Python that plays each agent from real data, and says so when lost.

A rule looks at the request and answers with tool calls, with a final text, or with None to let the next rule try.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from remit.sdk import Rule
from remit_packs.support.rules import (
    order_management,
    personalization,
    product_recommendation,
    supervisor,
    troubleshooting,
)

RULES: Mapping[str, Sequence[Rule]] = {
    "supervisor": supervisor.RULES,
    "order-management": order_management.RULES,
    "product-recommendation": product_recommendation.RULES,
    "personalization": personalization.RULES,
    "troubleshooting": troubleshooting.RULES,
}
