"""For tests of agents, tools and packs: an app without services, a model that says what you wrote, a clock you own."""

from remit.adapters.model.scripted import ScriptedModel
from remit.testing.apps import BOSS, app_for_tests, call, calls, task
from remit.testing.clock import FakeClock

__all__ = ["BOSS", "FakeClock", "ScriptedModel", "app_for_tests", "call", "calls", "task"]
