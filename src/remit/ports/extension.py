"""What an extension of another distribution is opened with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from remit.ports.clock import Clock


class Opening(Struct, frozen=True):
    """What the function behind an entry point is given to make a model provider, a store or a store of vectors of.

    `url` is the setting that named it, empty for a model provider. `options` are the table `extensions.NAME` of `remit.toml`.
    `secret(name)` gives a secret of the deployment, which is then redacted wherever it turns up; it raises ConfigError where there is
    none. `home` is the folder of data, `clock` the only source of time.
    """

    url: str
    home: str
    clock: Clock
    secret: Callable[[str], str]
    options: Mapping[str, Any]
