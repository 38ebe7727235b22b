"""What readers of runs are told: everything that looks at journals and changes nothing, together."""

from __future__ import annotations

from remit.engine.comparing import Comparing
from remit.engine.families import Families
from remit.engine.kit import Kit
from remit.engine.runs import Runs
from remit.engine.step_details import StepDetails
from remit.engine.timelines import Timelines


class Reading:
    """The views of runs, all made of the same kept folds."""

    def __init__(self, kit: Kit, runs: Runs) -> None:
        self.stepping = runs.stepping
        self.summaries = runs.summaries
        self.timelines = Timelines(self.stepping, kit.clock)
        self.details = StepDetails(kit, self.stepping)
        self.families = Families(kit.store, self.stepping)
        self.comparing = Comparing(self.stepping)
