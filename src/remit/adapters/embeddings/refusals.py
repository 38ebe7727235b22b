"""What went wrong at a model of embeddings, with the codes that models of language have too.

E601 rate limited, E603 the provider fails, E604 unreached, E606 timeout (all worth another try); E602 refused, E610 credentials,
E611 no such model, E938 an answer that is none.
"""

from __future__ import annotations

import math

from remit.core.errors import ModelError

_RETRYABLE = {408: "E606", 429: "E601"}
_FINAL = {401: "E610", 403: "E610", 404: "E611"}
_HELP = {
    "E610": "set the key or role of this provider to one that may use the model",
    "E611": "set `documents.embeddings` to a model of embeddings that the provider has",
    "E601": "ask less often, or raise the quota",
    "E602": "change what the message names",
}


def refused(name: str, status: int, said: str = "", retry_after_s: float | None = None) -> ModelError:
    """The error for a status other than 2xx. `said` is quoted, shortened."""
    quoted = " ".join(said.split())[:200]
    told = f": {quoted}" if quoted else ""
    if status in _RETRYABLE or status >= 500:
        code = _RETRYABLE.get(status, "E603")
        return ModelError(
            f"`{name}` answered {status}{told}",
            code=code,
            help=_HELP.get(code, "try again later"),
            retryable=True,
            retry_after_s=retry_after_s,
        )
    code = _FINAL.get(status, "E602")
    return ModelError(f"`{name}` answered {status}{told}", code=code, help=_HELP[code])


def unreached(name: str, kind: str) -> ModelError:
    """No connection, or one that broke. `kind` is the name of the client's exception."""
    return ModelError(
        f"`{name}` cannot be reached (`{kind}`)",
        code="E604",
        retryable=True,
        help="check the address and the network",
    )


def timed_out(name: str) -> ModelError:
    """Nothing came in time."""
    return ModelError(f"`{name}` did not answer in time", code="E606", retryable=True, help="try again")


def unreadable(name: str) -> ModelError:
    """An answer of another shape."""
    return ModelError(
        f"the answer of `{name}` is not what its API promises",
        code="E938",
        help="is it a model of embeddings?",
    )


def unit(name: str, vectors: list[list[float]], count: int) -> list[list[float]]:
    """The vectors made one long. Raises ModelError E938 for what are not `count` vectors."""
    lengths = [math.hypot(*vector) for vector in vectors]
    if len(vectors) != count or not all(math.isfinite(length) and length > 0 for length in lengths):
        raise ModelError(
            f"`{name}` gave no vectors for {count} texts",
            code="E938",
            help="set `documents.embeddings` to a model of embeddings",
        )
    return [[x / length for x in vector] for vector, length in zip(vectors, lengths, strict=True)]
