"""Rankings fused into one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

K = 60
"""From Cormack, Clarke and Büttcher: Reciprocal Rank Fusion outperforms Condorcet and individual rank learning methods, SIGIR 2009."""


def fuse(*rankings: Sequence[str], k: int = K) -> list[tuple[str, float]]:
    """Reciprocal-rank fusion: an id scores 1 / (k + rank) in each ranking that has it, ranks from 1. Best first, ties by id."""
    scores: defaultdict[str, float] = defaultdict(float)
    for ranking in rankings:
        for rank, name in enumerate(ranking, 1):
            scores[name] += 1 / (k + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
