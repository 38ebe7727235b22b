"""The artifacts of a run, as its own tools may read them."""

from __future__ import annotations

from remit.core.errors import ArgumentsError
from remit.core.provenance import Label
from remit.core.run import Run
from remit.core.task import Artifact
from remit.ports.artifacts import Content
from remit.ports.blobs import Blobs

_NAMED = 20


class RunArtifacts:
    """`ports.artifacts.Artifacts` of one run. A digest alone opens nothing: the run must have made what it names."""

    def __init__(self, run: Run, blobs: Blobs) -> None:
        self._run = run
        self._blobs = blobs

    async def read(self, reference: str) -> Content:
        """The artifact with this digest, or the newest with this name. Raises ArgumentsError E916 where there is none."""
        artifact = self._find(reference)
        return Content(artifact, await self._blobs.get(artifact.digest), self._label(artifact))

    def _find(self, reference: str) -> Artifact:
        for artifact in reversed(self._run.artifacts):
            if reference in (artifact.digest, artifact.name):
                return artifact
        names = ", ".join(dict.fromkeys(f"`{a.name}`" for a in self._run.artifacts[-_NAMED:]))
        raise ArgumentsError(
            f"this run has no artifact `{reference[:200]}`",
            code="E916",
            help=f"it has {names}" if names else "it has none yet",
        )

    def _label(self, artifact: Artifact) -> Label:
        """That of the step that made it; of a step that is not known, that of somebody who read all that the run has read."""
        step = self._run.steps.get(artifact.step)
        if step is not None and step.label is not None:
            return step.label
        labels = self._run.labels
        return Label("run", "untrusted" if labels.untrusted else "trusted", labels.sensitivity)
