"""Finding packs: those of the settings, and what an app file defines."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from inspect import isclass, signature
from pathlib import Path
from types import ModuleType
from typing import Any

from remit.bootstrap.extensions import OWN, find, load
from remit.core.errors import ConfigError, RemitError
from remit.sdk import Agent as LlmAgent
from remit.sdk import CodeAgent, FunctionTool, Pack, Rule, agent
from remit.settings import Settings
from remit.workflow import Workflow

BUILT_IN = ("support", "validation", "assistant", "team")


def find_packs(settings: Settings, app_file: str, *, given: bool) -> list[Pack]:
    """The configured packs, or the built-in ones when none are configured or given; and the app file's. Raises ConfigError."""
    names = settings.packs or (() if given or app_file else BUILT_IN)
    packs = [load_pack(name, settings.home) for name in names]
    if app_file:
        packs.append(load_file(Path(app_file)))
    return packs


def load_pack(name: str, home: Path) -> Pack:
    """The pack `remit_packs.NAME`, an entry `NAME` of another distribution, or `module:attribute`. Raises ConfigError."""
    module_name, _, attribute = name.partition(":")
    short = "." not in module_name and not attribute
    point = find("remit.packs", name) if short and name not in OWN["remit.packs"] else None
    try:
        if point is not None:
            made = load("remit.packs", point)
        else:
            module = importlib.import_module(f"remit_packs.{module_name}" if short else module_name)
            made = getattr(module, attribute or "pack")
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"pack `{name}` cannot be loaded: {error}", code="E245", help="check `packs` in remit.toml"
        ) from error
    pack = made(home=home) if callable(made) else made
    if not isinstance(pack, Pack):
        raise ConfigError(f"`{name}` is no Pack", code="E245", help="let `pack(home)` return a `remit.Pack`")
    return pack


def load_file(path: Path) -> Pack:
    """Everything an app file defines: its packs, agents and tools, as one pack. Raises ConfigError."""
    if not path.is_file():
        raise ConfigError(
            f"app file `{path}` does not exist", code="E246", help="give a Python file that defines agents"
        )
    name = f"{path.stem}@{path.resolve().parent}"  # no other module's, and no other app file's
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"`{path}` is no Python file", code="E246")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where Python looks up the types that its classes are annotated with
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise _not_loaded(path, error) from error
    return _gathered(path.stem, module)


def _not_loaded(path: Path, error: Exception) -> ConfigError:
    """What is wrong with an app file, and in which of its lines."""
    own = str(path.absolute())
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == own]
    if isinstance(error, SyntaxError) and error.filename == own:
        lines.append(error.lineno)
    line = lines[-1] if lines else None
    where = f"`{path}` line {line}" if line else f"`{path}`"
    if isinstance(error, RemitError):
        return ConfigError(f"{where}: {error.message}", code=error.code, help=error.help)
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    help_ = f"correct that line; `python {path}` shows the whole way there"
    if isinstance(error, ModuleNotFoundError):
        help_ = f"install what brings `{error.name}` into this environment, or correct the import"
    return ConfigError(f"{where} cannot be loaded: {type(error).__name__}: {said}", code="E246", help=help_)


def _acting(module: ModuleType, known: Sequence[object]) -> list[CodeAgent]:
    """Agents of what acts in a module without being decorated: objects, and its own classes of which it has no object."""
    had = [a.made_of for a in known if isinstance(a, CodeAgent)]
    found: list[CodeAgent] = []
    things = [t for t in vars(module).values() if _acts(t)]
    for thing in [t for t in things if not isclass(t)]:
        if not any(thing is one for one in had):
            found.append(agent(thing))
            had.append(thing)
    for made in things:
        own = isclass(made) and made.__module__ == module.__name__ and not signature(made).parameters
        if own and not any(isinstance(one, made) for one in had):
            found.append(agent(made))
            had.append(found[-1].made_of)
    return found


def _acts(thing: Any) -> bool:
    name = getattr(thing, "name", None)
    return isinstance(name, str) and bool(name) and callable(getattr(thing, "act", None))


def _gathered(name: str, module: ModuleType) -> Pack:
    things = list(vars(module).values())
    packs = [t for t in things if isinstance(t, Pack)]
    agents = [t for t in things if isinstance(t, LlmAgent | CodeAgent)]
    agents += _acting(module, [*agents, *(a for p in packs for a in p.agents)])
    tools = [t for t in things if isinstance(t, FunctionTool)]
    flows = [t for t in things if isinstance(t, Workflow)]
    rules: dict[str, tuple[Rule, ...]] = {}
    for pack in packs:
        rules.update(pack.rules)
    return Pack(
        name,
        agents=list(dict.fromkeys([*agents, *(a for p in packs for a in p.agents)])),
        tools=list(dict.fromkeys([*tools, *(t for p in packs for t in p.tools)])),
        workflows=[*flows, *(f for p in packs for f in p.workflows)],
        rules=rules,
        policies=[d for p in packs for d in p.policies],
    )
