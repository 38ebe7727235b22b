"""The names of the queues of runs, by the name of the deployment."""

from __future__ import annotations

from remit.core.states.arns import plain_name

DEFAULT = "default"
"""Whose queue takes the runs of agents that have none of their own, such as those of the registry and of workflows."""

DEAD = "-dead"
"""What the name of a queue's dead-letter queue ends in."""

MOST_NAME = 80
"""Characters of a name that SQS takes."""


def prefix(deployment: str) -> str:
    """What the names of all run queues begin with."""
    return f"{deployment}-run-"


def run_queue(deployment: str, agent: str) -> str:
    """The queue of an agent's runs."""
    return f"{prefix(deployment)}{plain_name(agent)}"[: MOST_NAME - len(DEAD)]


def dead_queue(deployment: str, agent: str) -> str:
    """Where hints go that were received too often."""
    return f"{run_queue(deployment, agent)}{DEAD}"
