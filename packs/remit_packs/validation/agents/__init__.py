"""The agents of the pack. All are plain Python but the investigator."""

from __future__ import annotations

from remit_packs.validation.agents.comparing import diff_tables
from remit_packs.validation.agents.ingestor import ingestor
from remit_packs.validation.agents.investigator import investigator
from remit_packs.validation.agents.notifier import notifier
from remit_packs.validation.agents.scorecard import (
    metadata_fetcher,
    rule_validator,
    score_aggregator,
    scorecard,
)
from remit_packs.validation.agents.suggester import suggester
from remit_packs.validation.agents.validate import validate
from remit_packs.validation.agents.validator import validator

AGENTS = (
    validate,
    ingestor,
    validator,
    notifier,
    scorecard,
    metadata_fetcher,
    rule_validator,
    score_aggregator,
    diff_tables,
    suggester,
    investigator,
)
