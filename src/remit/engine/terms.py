"""What a run goes by while somebody holds it: its policy as it stands now, and its tools as they were when it began."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from remit.core.run import Run
from remit.core.tool import ToolSpec
from remit.engine import contracts, profiles
from remit.engine.kit import Kit
from remit.engine.profiles import InForce


class Terms(NamedTuple):
    """The profile in force, and the tools whose contract is a definition."""

    policy: InForce
    tools: Mapping[str, ToolSpec]


async def terms_of(kit: Kit, run: Run) -> Terms:
    """The terms of a run. Raises DeniedError for a disabled profile, ConfigError for one that is gone."""
    return Terms(
        await profiles.of_run(kit.registry, kit.policy, run),
        await contracts.contracts(kit.registry, kit.catalogue.tools, run),
    )
