"""The script that checks other people's state machines, on small ones of our own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / "scripts" / "public_workflows.py"
GOOD = {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "${Function}", "End": True}}}
TEMPLATE = """\
Resources:
  Nightly:
    Type: AWS::Serverless::StateMachine
    Properties:
      Definition:
        StartAt: Send
        States:
          Send:
            Type: Task
            Resource: !Sub arn:${AWS::Partition}:states:::sqs:sendMessage
            Parameters: {QueueUrl: !Ref Queue, "MessageBody.$": $.body}
            End: true
  Daily:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      DefinitionString:
        Fn::Sub:
          - '{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": ${Pause}, "Next": "${After}"}}}'
          - {Pause: 5}
"""


def run(folder: Path, *options: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, SCRIPT, folder, *options], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.splitlines()


def test_it_counts_what_validates_and_says_why_the_rest_does_not(tmp_path: Path) -> None:
    """Documents, templates with definitions as objects or as text, and placeholders; each machine once."""
    (tmp_path / "good.asl.json").write_text(json.dumps(GOOD))
    (tmp_path / "again.asl.json").write_text(json.dumps(GOOD))
    (tmp_path / "flow.asl.yaml").write_text("StartAt: B\nStates:\n  A: {Type: Succeed}\n")
    (tmp_path / "broken.asl.json").write_text('{"StartAt": "A", "States": {')
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "other.json").write_text('{"StartAt": 1, "States": "none"}')
    lines = run(tmp_path, "--verbose")
    assert lines[0].split() == ["2", "of", "5", tmp_path.name]
    assert lines[1].split() == ["2", "of", "5", "in", "all"]
    told = "\n".join(lines[2:])
    assert "flow.asl.yaml: line 1, column 1: /StartAt: there is no state `B` in the same machine" in told
    assert "broken.asl.json: " in told
    assert "Daily/Properties/DefinitionString: /States/W/Next: there is no state `Placeholder`" in told
    assert "Nightly" not in told
    assert "good" not in told


def test_it_prints_the_table_of_the_documentation(tmp_path: Path) -> None:
    """A row for each repository, and a row for each reason."""
    (tmp_path / "good.asl.json").write_text(json.dumps(GOOD))
    (tmp_path / "bad.asl.json").write_text('{"StartAt": "A", "States": {"A": {"Type": "Pass"}}}')
    table = run(tmp_path, "--markdown")
    assert f"| {tmp_path.name} | 1 | 1 |" in table
    assert "| a Pass state has neither `Next` nor `End` | 1 |" in table
