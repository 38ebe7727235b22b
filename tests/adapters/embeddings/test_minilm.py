"""A small BERT in NumPy, on a folder made here: what holds whatever its weights are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("numpy", reason='the extra "remit[documents]" is not installed')

import numpy as np

from remit.adapters.embeddings.minilm import MiniLMEmbeddings, _pieces, _words
from remit.core.errors import ConfigError
from remit.ports.embeddings import Embeddings
from remit.testing.contracts.embeddings import EmbeddingsContract

WIDTH, LAYERS, INNER, TOKENS = 16, 2, 32, 256
WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "kettle",
    "water",
    "##s",
    "boil",
    "refund",
    "the",
    ".",
    "水",
    *"abcdefgh",
]


def a_model(folder: Path) -> Path:
    """A folder with weights by chance, as sentence-transformers lays it out."""
    chance = np.random.default_rng(3)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(WORDS), WIDTH),
        "embeddings.position_embeddings.weight": (TOKENS, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
    }
    norms = ["embeddings.LayerNorm"]
    dense: dict[str, tuple[int, int]] = {}
    for n in range(LAYERS):
        at = f"encoder.layer.{n}"
        dense |= {f"{at}.attention.self.{part}": (WIDTH, WIDTH) for part in ("query", "key", "value")}
        dense[f"{at}.attention.output.dense"] = (WIDTH, WIDTH)
        dense[f"{at}.intermediate.dense"] = (INNER, WIDTH)
        dense[f"{at}.output.dense"] = (WIDTH, INNER)
        norms += [f"{at}.attention.output.LayerNorm", f"{at}.output.LayerNorm"]
    for name, shape in dense.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    for name in norms:
        shapes |= {f"{name}.weight": (WIDTH,), f"{name}.bias": (WIDTH,)}
    header, body = {}, b""
    for name, shape in shapes.items():
        data = chance.normal(size=shape).astype("<f4").tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": list(shape),
            "data_offsets": [len(body), len(body) + len(data)],
        }
        body += data
    text = json.dumps(header).encode()
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + body)
    config = {
        "model_type": "bert",
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 2,
        "layer_norm_eps": 1e-12,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    return folder


class TestMiniLM(EmbeddingsContract):
    """The contract: above all, that neighbours of other lengths in a batch change nothing."""

    @pytest.fixture
    def embeddings(self, tmp_path: Path) -> Embeddings:
        return MiniLMEmbeddings(a_model(tmp_path / "tiny"))


def test_words_are_cut_as_bert_does() -> None:
    """Lower case, no accents, punctuation and CJK alone, control characters gone; pieces are the longest known."""
    known = {word: n for n, word in enumerate(WORDS)}
    assert list(_words("Héllo, WORLD!\x00水は e-mail")) == [
        "hello",
        ",",
        "world",
        "!",
        "水",
        "は",
        "e",
        "-",
        "mail",
    ]
    assert [_pieces(word, known) for word in ("kettles", "xyz")] == [["kettle", "##s"], ["[UNK]"]]


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "vocab.txt"])
def test_a_folder_that_lacks_a_file_is_refused(tmp_path: Path, name: str) -> None:
    """E939, before anything is indexed."""
    folder = a_model(tmp_path / "tiny")
    (folder / name).unlink()
    with pytest.raises(ConfigError) as raised:
        MiniLMEmbeddings(folder)
    assert raised.value.code == "E939"
