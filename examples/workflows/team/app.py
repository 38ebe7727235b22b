"""A research team: researcher -> analyst -> coder -> reviewer, and the reviewer sends work back to the coder or ends.

Offline, the coder is played by the rules at the end of this file: they look for the shortest chain of known steps that does what
all examples say that it has seen, and are no language model. The code is really run, and the loop really ends by the tests.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

from remit import (
    END,
    Agent,
    Message,
    ModelRequest,
    Pack,
    RunContext,
    ToolError,
    Workflow,
    agent,
    assistant,
    field,
    tool,
    variable,
)

NOTES = Path(__file__).with_name("notes.md")
ROUNDS = 5


class Case(TypedDict):
    """One example: what goes in, and what must come out."""

    given: str
    wanted: str


class Finding(TypedDict):
    """A case that the code does not do."""

    given: str
    wanted: str
    got: str


# tools


@tool
def read_notes(topic: str) -> str:
    """What the house's notes say on a topic."""
    found = re.search(rf"^## {re.escape(topic)}\n(.*?)(?=^## |\Z)", NOTES.read_text("utf-8"), re.M | re.S)
    if found is None:
        raise ToolError(f"the notes say nothing about `{topic}`", code="NothingFound")
    return found[1].strip()


@tool(risk="L1", effect="keyed", outward=False, timeout_s=20)
def run_cases(code: str, cases: list[Case]) -> list[Finding]:
    """Run `convert(text)` of this code on every case; what went wrong.

    It runs in a process of its own, without the environment and for ten seconds at most. That is no sandbox: for code that a
    language model wrote, start the process in a container without a network.
    """
    program = (
        f"import json, sys\n{code}\nprint(json.dumps([convert(given) for given in json.load(sys.stdin)]))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        input=json.dumps([case["given"] for case in cases]),
        capture_output=True,
        text=True,
        timeout=10,
        env={},
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        return [Finding(given=case["given"], wanted=case["wanted"], got=said) for case in cases]
    answers = json.loads(done.stdout)
    return [
        Finding(given=case["given"], wanted=case["wanted"], got=str(got))
        for case, got in zip(cases, answers, strict=True)
        if got != case["wanted"]
    ]


# agents


@agent(tools=[read_notes])
async def researcher(input: Any, memory: Any, context: RunContext) -> dict[str, Any]:
    """Finds what the notes say."""
    return {"topic": input["topic"], "notes": await context.call("read_notes", topic=input["topic"])}


@agent
async def analyst(input: Any) -> dict[str, Any]:
    """Turns notes into a requirement and cases. The coder is shown the first case; the reviewer has them all."""
    cases = [Case(given=a, wanted=b) for a, b in re.findall(r"`([^`]+)` becomes `([^`]+)`", input["notes"])]
    return {"requirement": input["notes"].splitlines()[0], "cases": cases}


coder = Agent(
    "coder",
    instructions="Write a Python function `convert(text: str) -> str` that fulfils the requirement and does what the examples say. "
    "Answer with the code alone, without a fence. It may import only `re` and `unicodedata`.",
)


@agent(tools=[run_cases])
async def reviewer(input: Any, memory: Any, context: RunContext) -> dict[str, Any]:
    """Runs the code on every case, and says what is wrong with it."""
    findings = await context.call("run_cases", code=input["code"], cases=input["cases"])
    return {"accepted": not findings, "findings": findings}


# the workflow

flow = Workflow(
    "research-team", description="Researcher, analyst, coder, reviewer; the reviewer sends back or ends."
)
research = flow.node("research", researcher)
analysis = flow.node(
    "analyse",
    analyst,
    assign={"requirement": "{% $states.result.requirement %}", "cases": "{% $states.result.cases %}"},
    output={"seen": "{% [$states.result.cases[0]] %}"},
)
code = flow.node(
    "code",
    coder,
    input={
        "objective": "Write `convert`.",
        "input": {"requirement": variable("requirement"), "examples": field("seen")},
        "max_cost_usd": "0.50",
    },
    output={"seen": field("seen"), "code": "{% $states.result %}"},
)
review = flow.node(
    "review",
    reviewer,
    input={"code": field("code"), "cases": variable("cases")},
    output="{% $merge([$states.input, $states.result, {'seen': $append($states.input.seen, $states.result.findings[0])}]) %}",
)
rework = flow.loop("rework", body=code >> review, until="{% $states.input.accepted %}", max_rounds=ROUNDS)
done = flow.transform(
    "hand in",
    output={"code": field("code"), "rounds": variable("rework_round"), "cases": "{% $count($cases) %}"},
)
research >> analysis >> rework >> done >> END

# the rules that play the coder offline


class Step(TypedDict):
    """A step that a conversion may take: its Python, and what that does."""

    python: str
    does: Callable[[str], str]


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


STEPS: tuple[Step, ...] = (
    {"python": "text = text.lower()", "does": str.lower},
    {"python": "text = text.upper()", "does": str.upper},
    {"python": "text = text.replace(' ', '-')", "does": lambda t: t.replace(" ", "-")},
    {"python": "text = re.sub(r'\\W+', '_', text)", "does": lambda t: re.sub(r"\W+", "_", t)},
    {"python": "text = re.sub(r'[^\\w]+', '-', text)", "does": lambda t: re.sub(r"[^\w]+", "-", t)},
    {"python": "text = text.strip('-_ ')", "does": lambda t: t.strip("-_ ")},
    {
        "python": "text = unicodedata.normalize('NFKD', text).encode('ascii', 'ignore').decode()",
        "does": _ascii,
    },
)


def write_code(request: ModelRequest) -> Message:
    """The shortest chain of at most four steps that does what every example says."""
    examples = json.loads(request.messages[0].text.split("Input:\n", 1)[1])["examples"]
    for length in range(1, 5):
        for chain in itertools.permutations(STEPS, length):
            if all(_applied(chain, case["given"]) == case["wanted"] for case in examples):
                return assistant(_source(chain))
    return assistant("def convert(text):\n    return text")


def _applied(chain: tuple[Step, ...], text: str) -> str:
    for step in chain:
        text = step["does"](text)
    return text


def _source(chain: tuple[Step, ...]) -> str:
    lines = [f"    {step['python']}" for step in chain]
    return "\n".join(["import re", "import unicodedata", "", "def convert(text):", *lines, "    return text"])


pack = Pack("team", workflows=[flow], rules={"coder": [write_code]})
