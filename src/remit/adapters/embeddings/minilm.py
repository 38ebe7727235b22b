"""A small BERT of sentences (MiniLM and its kind) in NumPy, from the files of its folder. Needs the extra `documents`.

The folder holds `config.json`, `model.safetensors` and `vocab.txt` or `tokenizer.json`, as sentence-transformers publishes them.
Words are cut as BERT's uncased tokenizer does. A vector is the mean over a text's tokens.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from remit.core.errors import ConfigError
from remit.core.extras import how_to_install
from remit.ports.embeddings import Purpose

try:
    import numpy as np
    from numpy.typing import NDArray
except ImportError as error:
    raise ConfigError(
        "documents need the package `numpy`, which is not installed",
        code="E695",
        help=how_to_install("documents"),
    ) from error

Floats = NDArray[np.float32]

MOST_TOKENS = 256
_TYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2")}
# Abramowitz and Stegun 7.1.26: |error| < 1.5e-7, which is below what float32 tells apart here
_ERF = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)


class MiniLMEmbeddings:
    """The model of a folder, read on first use."""

    batch = 32

    def __init__(self, folder: Path) -> None:
        """Raises ConfigError E939 for a folder without such a model."""
        self._folder = folder
        self._config = _json(folder / "config.json")
        self._vocabulary = _vocabulary(folder)
        self._weights: dict[str, Floats] = {}
        needed = {"num_hidden_layers", "num_attention_heads", "layer_norm_eps"}
        if self._config.get("model_type") != "bert" or not needed <= self._config.keys():
            raise _unfit(folder, "its `config.json` is not that of a BERT")
        weights = folder / "model.safetensors"
        if not weights.is_file():
            raise _unfit(folder, "it has no `model.safetensors`")
        seen = hashlib.sha256(f"{weights.stat().st_size}:".encode())
        with weights.open("rb") as file:
            seen.update(file.read(65_536))
        self._name = f"local:{folder.name}@{seen.hexdigest()[:8]}"

    @property
    def name(self) -> str:
        """`local:`, the folder's name, and a digest of what its weights start with."""
        return self._name

    async def embed(self, texts: Sequence[str], purpose: Purpose) -> list[list[float]]:
        """A vector a text; such models ask for no purpose."""
        return await asyncio.to_thread(self._embed, texts)

    async def close(self) -> None:
        """Let go of the weights."""
        self._weights = {}

    def _embed(self, texts: Sequence[str]) -> list[list[float]]:
        if not self._weights:
            self._weights = _tensors(self._folder / "model.safetensors")
        tokens = [self._tokens(text) for text in texts]
        order = sorted(range(len(texts)), key=lambda n: len(tokens[n]))  # alike lengths: little padding
        made: dict[int, list[float]] = {}
        for start in range(0, len(order), 8):
            part = order[start : start + 8]
            made.update(zip(part, self._forward([tokens[n] for n in part]).tolist(), strict=True))
        return [made[n] for n in range(len(texts))]

    def _tokens(self, text: str) -> list[int]:
        known = self._vocabulary
        pieces = [known.get(piece, known["[UNK]"]) for word in _words(text) for piece in _pieces(word, known)]
        return [known["[CLS]"], *pieces[: MOST_TOKENS - 2], known["[SEP]"]]

    def _forward(self, tokens: list[list[int]]) -> Floats:
        """Unit vectors of texts as tokens."""
        longest = max(map(len, tokens))
        ids = np.zeros((len(tokens), longest), dtype=np.int64)
        mask = np.zeros((len(tokens), longest), dtype=np.float32)
        for n, row in enumerate(tokens):
            ids[n, : len(row)], mask[n, : len(row)] = row, 1
        w = self._weights
        state = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.token_type_embeddings.weight"][0]
        state = state + w["embeddings.position_embeddings.weight"][:longest]
        state = self._normed(state, "embeddings.LayerNorm")
        away = ((1 - mask) * np.float32(-1e9))[:, None, None, :]
        for layer in range(self._config["num_hidden_layers"]):
            state = self._layer(state, away, f"encoder.layer.{layer}")
        mean = (state * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True), dtype=np.float32)

    def _layer(self, state: Floats, away: Floats, name: str) -> Floats:
        heads = self._config["num_attention_heads"]
        texts, length, width = state.shape

        def split(part: str) -> Floats:
            made = self._dense(state, f"{name}.attention.self.{part}")
            return made.reshape(texts, length, heads, width // heads).transpose(0, 2, 1, 3)

        scores = split("query") @ split("key").transpose(0, 1, 3, 2) / np.float32(math.sqrt(width // heads))
        scores = np.exp((scores := scores + away) - scores.max(axis=-1, keepdims=True))
        seen = (scores / scores.sum(axis=-1, keepdims=True)) @ split("value")
        seen = seen.transpose(0, 2, 1, 3).reshape(texts, length, width)
        state = self._normed(
            state + self._dense(seen, f"{name}.attention.output.dense"), f"{name}.attention.output.LayerNorm"
        )
        inner = _gelu(self._dense(state, f"{name}.intermediate.dense"))
        return self._normed(state + self._dense(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def _dense(self, state: Floats, name: str) -> Floats:
        made: Floats = state @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return made

    def _normed(self, state: Floats, name: str) -> Floats:
        centred = state - state.mean(axis=-1, keepdims=True)
        variance = (centred * centred).mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt(variance + np.float32(self._config["layer_norm_eps"]))
        made: Floats = scaled * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
        return made


def _gelu(x: Floats) -> Floats:
    """x times the normal distribution up to x, by the error function."""
    z = np.abs(x) * np.float32(math.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * z)
    series = t * (_ERF[0] + t * (_ERF[1] + t * (_ERF[2] + t * (_ERF[3] + t * _ERF[4]))))
    erf = np.sign(x) * (1 - series * np.exp(-z * z))
    return np.asarray(x * (1 + erf) / 2, dtype=np.float32)


def _words(text: str) -> Iterator[str]:
    """Words in lower case without accents; each mark of punctuation and each CJK character is one."""
    word: list[str] = []
    for char in unicodedata.normalize("NFD", text.lower()):
        category = unicodedata.category(char)
        if category == "Mn" or (category[0] == "C" and not char.isspace()):
            continue
        alone = _is_punctuation(char, category) or _is_cjk(ord(char))
        if (alone or char.isspace()) and word:
            yield "".join(word)
            word = []
        if alone:
            yield char
        elif not char.isspace():
            word.append(char)
    if word:
        yield "".join(word)


def _is_punctuation(char: str, category: str) -> bool:
    return category[0] == "P" or (
        char.isascii() and not char.isalnum() and char.isprintable() and char != " "
    )


def _is_cjk(code: int) -> bool:
    return 0x3400 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or 0x20000 <= code <= 0x2FA1F


def _pieces(word: str, known: dict[str, int]) -> list[str]:
    """A word as the longest pieces that are known, one after another (WordPiece)."""
    if len(word) > 100:
        return ["[UNK]"]
    pieces: list[str] = []
    start = 0
    while start < len(word):
        mark = "##" if start else ""
        end = next((e for e in range(len(word), start, -1) if mark + word[start:e] in known), 0)
        if not end:
            return ["[UNK]"]
        pieces.append(mark + word[start:end])
        start = end
    return pieces


def _tensors(path: Path) -> dict[str, Floats]:
    """The weights of a safetensors file: eight bytes of length, a header of JSON, and the numbers."""
    data = np.memmap(path, dtype=np.uint8, mode="r")
    size = int.from_bytes(data[:8].tobytes(), "little")
    header: dict[str, Any] = json.loads(data[8 : 8 + size].tobytes())
    header.pop("__metadata__", None)
    made: dict[str, Floats] = {}
    for name, told in header.items():
        if told["dtype"] in _TYPES:
            start, end = told["data_offsets"]
            numbers = data[8 + size + start : 8 + size + end].view(_TYPES[told["dtype"]])
            made[name.removeprefix("bert.")] = numbers.reshape(told["shape"]).astype(np.float32)
    return made


def _vocabulary(folder: Path) -> dict[str, int]:
    plain = folder / "vocab.txt"
    if plain.is_file():
        found = {word: n for n, word in enumerate(plain.read_text("utf-8").split("\n")) if word}
    else:
        model = _json(folder / "tokenizer.json").get("model", {})
        found = model.get("vocab", {}) if model.get("type") == "WordPiece" else {}
    if not {"[CLS]", "[SEP]", "[UNK]"} <= found.keys():
        raise _unfit(folder, "its vocabulary is not that of a BERT")
    return found


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise _unfit(path.parent, f"`{path.name}` cannot be read") from error
    return found if isinstance(found, dict) else {}


def _unfit(folder: Path, why: str) -> ConfigError:
    return ConfigError(
        f"the folder `{folder}` holds no model of embeddings: {why}",
        code="E939",
        help="name one with config.json, model.safetensors and vocab.txt of a MiniLM of sentence-transformers",
    )
