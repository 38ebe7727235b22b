"""An example system in a folder of its own, and the commands of its README typed there."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from remit.cli.main import execute

BASH = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Said:
    """What a command said, and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def document(self) -> Any:
        """stdout as the one JSON document that it is."""
        return json.loads(self.out)


class System:
    """A copy of an example, which is the working directory."""

    def __init__(
        self, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.name = name
        self.folder = folder
        self.servers: list[subprocess.Popen[bytes]] = []
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def follow_readme(self, **instead: str) -> list[Said]:
        """Type what the README says, with `instead` in the place of words of it; what each `remit` command said."""
        (block,) = BASH.findall((self.folder / "README.md").read_text())
        for word, other in instead.items():
            block = block.replace(word.removeprefix("_"), other)
        return [said for line in block.splitlines() if (said := self._type(line)) is not None]

    def remit(self, *words: str) -> Said:
        """Run a command in this process."""
        self._capsys.readouterr()
        code = execute(list(words))
        said = self._capsys.readouterr()
        return Said(code, said.out, said.err)

    def run(self, name: str, input: Any = None, *options: str) -> Any:
        """What a run of an agent or workflow comes to: the result as JSON."""
        given = [] if input is None else ["--input", json.dumps(input)]
        return self.remit("run", name, *given, *options, "--json").document

    def approvals(self) -> list[str]:
        """The approvals that are asked for."""
        listed = self.remit("approvals", "list", "--json").document["items"]
        return [str(a["approval_id"]) for a in listed if a["status"] == "pending"]

    def approval(self) -> str:
        """The one approval that is asked for."""
        (one,) = self.approvals()
        return one

    def _type(self, line: str) -> Said | None:
        words = shlex.split(line)
        if words[0] == "cd":
            assert words[1] == f"examples/workflows/{self.name}"
            return None
        if words[0] == "export":
            self._monkeypatch.setenv(*words[1].split("=", 1))
            return None
        if words[0] == "python":
            self._python(words[1:])
            return None
        assert words[0] == "remit"
        return self.remit(*(self.approval() if word == "APPROVAL" else word for word in words[1:]))

    def _python(self, words: list[str]) -> None:
        if words[-1] == "&":
            self.servers.append(subprocess.Popen([sys.executable, *words[:-1]]))
        else:
            subprocess.run([sys.executable, *words], check=True, timeout=60)
