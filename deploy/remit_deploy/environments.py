"""`[deploy]` of a project, read for one environment: what to deploy, where to, and what its app says of itself."""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from remit.core.codec import convert
from remit.core.errors import ConfigError, InputError
from remit_deploy.aws import EMULATOR_REGION, Place
from remit_deploy.config import ENVIRONMENTS, DeployConfig, config_of
from remit_deploy.costs.estimate import Usage, usage_of
from remit_deploy.describing import described
from remit_deploy.packaging import bundle
from remit_deploy.releases import definitions_of

OWN = ("packages", "usage")
"""What of `[deploy]` is read here, and is no business of the template."""


class Packages(Struct, frozen=True, forbid_unknown_fields=True):
    """`[deploy.packages]`: more packages for the functions, as pip has them, and patterns of more files of the project."""

    requirements: tuple[str, ...] = ()
    include: tuple[str, ...] = ()


class Source(Struct, frozen=True):
    """A project and its `[deploy]`. `app` stands for the app file that its remit.toml names."""

    root: Path
    given: dict[str, Any]
    app: str = ""

    @property
    def packages(self) -> Packages:
        """What else goes into the bundle. Raises ConfigError E874."""
        try:
            return convert(self.given.get("packages", {}), Packages)
        except InputError as error:
            raise ConfigError(
                f"`[deploy.packages]` is not in order: {error.message}",
                code="E874",
                help='its keys are `requirements = ["pandas"]` and `include = ["prompts/**"]`',
            ) from error

    @property
    def usage(self) -> Usage:
        """The month that the estimate assumes. Raises ConfigError E874."""
        return usage_of(self.given.get("usage", {}))

    def config(self, environment: str, definitions: Mapping[str, Any] | None = None) -> DeployConfig:
        """The configuration of an environment, over the definitions of an app. Raises ConfigError E850, E851, E852, E868.

        What an environment says itself stands over both.
        """
        if environment not in ENVIRONMENTS:
            raise ConfigError(
                f"`{environment}` is no environment",
                code="E868",
                help=f"choose one of {', '.join(f'`{e}`' for e in ENVIRONMENTS)}",
            )
        return config_of({**self._plain(), **(definitions or {})}, environment)

    def definitions(self) -> dict[str, Any]:
        """What the app defines, the same for all environments. Raises ConfigError for an app that cannot be opened."""
        plain = {key: value for key, value in self._plain().items() if key != "environments"}
        return definitions_of(_described(self.root, self.app, config_of(plain, "dev")))

    def _plain(self) -> dict[str, Any]:
        return {key: value for key, value in self.given.items() if key not in OWN}


def read(root: Path, app: str = "", template: str = "") -> Source:
    """The project in a directory. Raises ConfigError E201 for a remit.toml that cannot be read."""
    path = root / "remit.toml"
    try:
        given = tomllib.loads(path.read_text()).get("deploy", {}) if path.exists() else {}
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"`{path}` cannot be read: {error}", code="E201", help="see contracts/settings.md"
        ) from error
    return Source(root, {**given, **({"template": template} if template else {})}, app)


def for_emulator(config: DeployConfig) -> DeployConfig:
    """The same for the emulator: this machine's own Python, and without what the emulator refuses."""
    here = bundle.here()
    return replace(
        config,
        for_emulator=True,
        python=here.python,
        architecture=here.architecture,
        region=EMULATOR_REGION,
        account="",
        profile="",
    )


def target_of(config: DeployConfig) -> bundle.Target:
    """What the bundle is built for. Raises ConfigError E861."""
    if config.for_emulator:
        return bundle.here()
    if config.python not in bundle.RUNTIMES:
        raise ConfigError(
            f"`python` is `{config.python}`, which the functions cannot run",
            code="E861",
            help=f"choose one of {', '.join(bundle.RUNTIMES)}",
        )
    return bundle.Target(config.python, config.architecture)


def place_of(config: DeployConfig, endpoint: str = "") -> Place:
    """Where an environment is."""
    return Place(config.region, "" if endpoint else config.profile, endpoint)


def _described(root: Path, app: str, config: DeployConfig) -> DeployConfig:
    """Ask the app what it defines. It is opened apart: this machine's variables say nothing, and no data is touched."""
    from remit.bootstrap import open_app
    from remit.settings import load

    settings = load({}, directory=root, app=app)
    with tempfile.TemporaryDirectory() as home:
        apart = replace(
            settings,
            home=Path(home),
            store="memory:",
            app=str(root / settings.app) if settings.app else "",
            policies=tuple(str(root / where) for where in settings.policies),
        )
        return described(config, open_app(apart))
