"""What tokens cost: prices per million tokens, found by the longest prefix of a model's id."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

from remit.core.budget import NANO, ZERO, Usage
from remit.core.errors import ConfigError

_MILLIONTH = Decimal("0.000001")
_GEOGRAPHIES = ("us-gov.", "us.", "eu.", "apac.", "jp.", "au.", "ca.", "global.")
_VENDORS = ("anthropic.", "anthropic/", "amazon.", "amazon/", "meta.", "meta-llama/", "openai.", "openai/")


class Price(Struct, frozen=True):
    """US dollars per million tokens. `cache_read` and `cache_write` are for tokens read from or written to a prompt cache."""

    input: Decimal = ZERO
    output: Decimal = ZERO
    cache_read: Decimal = ZERO
    cache_write: Decimal = ZERO

    def cost(self, usage: Usage) -> Decimal:
        """What `usage` costs in US dollars, to the nano-dollar."""
        total = self.input * usage.input_tokens + self.output * usage.output_tokens
        if usage.cache_read_tokens or usage.cache_write_tokens:
            total += self.cache_read * usage.cache_read_tokens + self.cache_write * usage.cache_write_tokens
        return (total * _MILLIONTH).quantize(NANO)

    @property
    def dearest_input(self) -> Decimal:
        """The most that an input token may cost: writing a cache costs more than plain input at some providers."""
        return max(self.input, self.cache_write, self.cache_read)


FREE = Price()


class PriceTable(Struct, frozen=True):
    """List prices by the start of a model's id, as of `date` (ISO), from `source`."""

    prices: Mapping[str, Price]
    date: str = ""
    source: str = ""

    def find(self, model: str) -> Price | None:
        """The price with the longest prefix of `model`, or `None`.

        Geography (`eu.`), vendor (`anthropic.`) and the path of an ARN are ignored. A prefix ends where a word of the id
        ends, so `gpt-5` covers `gpt-5-2025-08-07` and not `gpt-5.4`.
        """
        name = _plain_id(model)
        for length in range(len(name), 0, -1):
            if length == len(name) or not (name[length].isalnum() or name[length] == "."):
                price = self.prices.get(name[:length])
                if price is not None:
                    return price
        return None


def parse_prices(text: str) -> PriceTable:
    """The table from TOML: `date`, `source`, and `[models."ID"]` with `input`, `output`, `cache_read`, `cache_write`.

    Cached tokens cost as much as input where nothing is said. Raises ConfigError E220 that names the model.
    """
    try:
        raw = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the price list is not TOML: {error}", code="E220") from None
    prices = {_plain_id(name): _price(name, fields) for name, fields in raw.get("models", {}).items()}
    return PriceTable(prices, str(raw.get("date", "")), str(raw.get("source", "")))


def _price(name: str, fields: Any) -> Price:
    known = {"input", "output", "cache_read", "cache_write"}
    fine = isinstance(fields, dict) and {"input", "output"} <= set(fields) <= known
    if not fine or any(
        isinstance(v, bool) or not isinstance(v, int | Decimal) or v < 0 for v in fields.values()
    ):
        raise ConfigError(
            f"the price of `{name}` is not understood",
            code="E220",
            help="give `input` and `output`, and if they differ `cache_read` and `cache_write`, in US dollars per million",
        )
    amount = {key: Decimal(value) for key, value in fields.items()}
    return Price(
        amount["input"],
        amount["output"],
        amount.get("cache_read", amount["input"]),
        amount.get("cache_write", amount["input"]),
    )


def _plain_id(model: str) -> str:
    name = model.lower()
    if name.startswith("arn:"):
        name = name.rpartition("/")[2]
    for prefixes in (_GEOGRAPHIES, _VENDORS):
        name = next((name.removeprefix(p) for p in prefixes if name.startswith(p)), name)
    return name
