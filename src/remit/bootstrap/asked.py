"""What only people ask an app for: each is loaded when somebody does, since a function that works off runs never will."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from remit.core.naming import LOCAL
from remit.core.shown import Shown

if TYPE_CHECKING:
    from remit.engine.cost_reports import CostReports
    from remit.engine.costs import Costs
    from remit.engine.golden import Golden
    from remit.engine.kit import Kit
    from remit.engine.live import Live
    from remit.engine.many_runs import ManyRuns
    from remit.engine.reading import Reading
    from remit.engine.runs import Runs
    from remit.engine.workflows.forking import Forks


class Asked:
    """The part of an app that reads for people, and does what they ask about runs that there are."""

    kit: Kit
    runs: Runs
    costs: Costs

    async def show(self, run_id: str, reference: str, tenant_id: str = LOCAL) -> Shown:
        """An artifact of a run by name or digest, for a notebook to show. Raises NotFoundError."""
        artifact, data = await self.runs.artifact(run_id, tenant_id, reference)
        return Shown(artifact.name, artifact.media_type, data)

    @cached_property
    def reading(self) -> Reading:
        """The views of runs."""
        from remit.engine.reading import Reading

        return Reading(self.kit, self.runs)

    @cached_property
    def golden(self) -> Golden:
        """Runs kept as golden cases."""
        from remit.engine.golden import Golden

        return Golden(self.kit.store, self.runs.stepping, self.kit.registry)

    @cached_property
    def cost_reports(self) -> CostReports:
        """Costs by what one wants to know."""
        from remit.engine.cost_reports import CostReports

        return CostReports(self.kit.store, self.kit.clock, self.costs)

    @cached_property
    def forks(self) -> Forks:
        """Runs that go on from a step of another."""
        from remit.engine.workflows.forking import Forks

        return Forks(self.kit)

    @cached_property
    def many_runs(self) -> ManyRuns:
        """What is asked of many runs together."""
        from remit.engine.many_runs import ManyRuns

        return ManyRuns(self.kit, self.runs, self.forks)

    @cached_property
    def live(self) -> Live:
        """What changes, for those who watch."""
        from remit.engine.live import Live

        return Live(self.kit.store, self.kit.clock)
