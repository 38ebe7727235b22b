"""A layered layout of a graph, from top to bottom: who stands where, and the way of each edge.

Sugiyama's method: turn back edges round, put nodes in layers, order each layer so that few edges cross, then give every
node the place nearest to its neighbours that its layer has room for. Edges over several layers, and labels, hold places of
their own on the way. Units are the caller's.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from itertools import pairwise

from msgspec import Struct

SWEEPS = 12
_PATIENCE = 100_000
"""How many places are looked at in all: a huge graph has fewer sweeps, and a picture less fine."""
_STRAIGHT = 6.0
"""How much more an edge on its way holds its place than a node does: so that long edges are straight."""
Point = tuple[float, float]


class Link(Struct, frozen=True):
    """An edge, with the size of its label (0 when it has none)."""

    source: str
    target: str
    label_width: float = 0
    label_height: float = 0


class Gaps(Struct, frozen=True):
    """Room between neighbours in a layer, and between layers."""

    beside: float
    below: float


class Layout(Struct, frozen=True):
    """Top left corners of nodes by name; of each link its points from source to target, and the middle of its label."""

    width: float
    height: float
    corners: dict[str, Point]
    routes: list[list[Point]]
    labels: list[Point | None]


class _Place(Struct, eq=False):
    """What holds a place in a layer: a node, or an edge on its way (`name` is empty)."""

    name: str
    width: float
    height: float
    rank: int = 0
    x: float = 0
    """Of its middle."""
    above: list[_Place] = []
    below: list[_Place] = []
    run: list[_Place] = []
    """Of an edge on its way: the places of all of it."""


class _Way(Struct, eq=False):
    """A link as it is laid out: downwards, through the places it holds on its way."""

    places: list[_Place]
    turned: bool
    label: _Place | None = None


def lay_out(sizes: Mapping[str, Point], links: Sequence[Link], first: str, gaps: Gaps) -> Layout:
    """Places for nodes of these sizes, `first` in the top layer."""
    places = {name: _Place(name, *size) for name, size in sizes.items()}
    order = _depth_first(list(sizes), links, first)
    _rank(places, links, order)
    layers: list[list[_Place]] = [[] for _ in range(max(p.rank for p in places.values()) + 1)]
    for name in sorted(places, key=order.__getitem__):
        layers[places[name].rank].append(places[name])
    ways = [_way(link, places, order, layers) for link in links]
    sweeps = min(SWEEPS, max(2, _PATIENCE // sum(map(len, layers))))
    _order(layers, sweeps)
    _set_apart(layers, gaps.beside, sweeps)
    return _drawn(layers, ways, gaps)


def _depth_first(names: list[str], links: Sequence[Link], first: str) -> dict[str, int]:
    """Reverse post-order from `first`: a link to a lower number leads back."""
    onward: dict[str, list[str]] = {name: [] for name in names}
    for link in links:
        onward[link.source].append(link.target)
    done: list[str] = []
    seen: set[str] = set()
    for root in [first, *names]:
        stack = [(root, False)]
        while stack:
            name, left = stack.pop()
            if left:
                done.append(name)
            elif name not in seen:
                seen.add(name)
                stack.append((name, True))
                stack.extend((to, False) for to in onward[name])
    rest = reversed(done)
    return {name: number for number, name in enumerate(rest)}


def _rank(places: Mapping[str, _Place], links: Sequence[Link], order: Mapping[str, int]) -> None:
    """The layer of each node: one below the lowest that leads to it, two where a label stands between."""
    into: dict[str, list[tuple[str, int]]] = {name: [] for name in places}
    for link in links:
        upper, lower = _downwards(link, order)
        if upper != lower:
            into[lower].append((upper, 2 if link.label_width else 1))
    for name in sorted(places, key=order.__getitem__):
        places[name].rank = max((places[upper].rank + length for upper, length in into[name]), default=0)


def _downwards(link: Link, order: Mapping[str, int]) -> tuple[str, str]:
    back = order[link.target] < order[link.source]
    return (link.target, link.source) if back else (link.source, link.target)


def _way(
    link: Link, places: Mapping[str, _Place], order: Mapping[str, int], layers: list[list[_Place]]
) -> _Way:
    """The places that a link holds between its ends; its label is the one next to the source."""
    upper, lower = (places[name] for name in _downwards(link, order))
    between = [_Place("", 0, 0, rank) for rank in range(upper.rank + 1, lower.rank)]
    label = between[0 if upper.name == link.source else -1] if link.label_width and between else None
    if label is not None:
        label.width, label.height = link.label_width, link.label_height
    for place in between:
        place.run = between
        layers[place.rank].append(place)
    chain = [upper, *between, lower]
    if upper is not lower:
        for one, next_ in pairwise(chain):
            one.below.append(next_)
            next_.above.append(one)
    return _Way(chain, upper.name != link.source, label)


def _order(layers: list[list[_Place]], sweeps: int) -> None:
    """Sort layers by the middle of their neighbours, downwards and upwards in turn, and keep the best found."""
    best, fewest = [list(layer) for layer in layers], _crossings(layers)
    for sweep in range(sweeps):
        downwards = sweep % 2 == 0
        for layer in layers[1:] if downwards else reversed(layers[:-1]):
            _sort(layer, downwards)
        crossings = _crossings(layers)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    for layer, kept in zip(layers, best, strict=True):
        layer[:] = kept
        for index, place in enumerate(layer):
            place.x = index


def _sort(layer: list[_Place], downwards: bool) -> None:
    for index, place in enumerate(layer):
        place.x = index
    middles = {id(p): _mean([q.x for q in (p.above if downwards else p.below)], p.x) for p in layer}
    layer.sort(key=lambda p: middles[id(p)])
    for index, place in enumerate(layer):
        place.x = index


def _crossings(layers: list[list[_Place]]) -> int:
    """How many pairs of links cross between neighbouring layers."""
    count = 0
    for layer in layers:
        for index, place in enumerate(layer):
            place.x = index
    for layer in layers:
        ends: list[float] = []
        for place in layer:
            lower = [q.x for q in place.below]
            count += sum(len(ends) - bisect_right(ends, end) for end in lower)
            for end in lower:
                insort(ends, end)
    return count


def _set_apart(layers: list[list[_Place]], beside: float, sweeps: int) -> None:
    """Give each place its x: near to its neighbours and clear of those beside it; what is on its way goes straight."""
    for layer in layers:
        x = 0.0
        for place in layer:
            place.x = x + place.width / 2
            x += place.width + beside
    runs = {id(p.run): p.run for layer in layers for p in layer if p.run}
    for sweep in range(2 * sweeps):
        together = {key: _mean([p.x for p in run], 0) for key, run in runs.items()} if sweep >= sweeps else {}
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            wanted = [together.get(id(p.run), _wanted(p, sweep, sweeps)) for p in layer]
            _fit(layer, wanted, beside)
    leftmost = min(p.x - p.width / 2 for layer in layers for p in layer)
    for layer in layers:
        for place in layer:
            place.x -= leftmost


def _wanted(place: _Place, sweep: int, sweeps: int) -> float:
    """The middle of the neighbours: of one side and then the other; in the last sweeps of both."""
    if sweep >= sweeps:
        near = place.above + place.below
    else:
        near = place.above if sweep % 2 == 0 else place.below
    return _mean([q.x for q in near], place.x)


def _fit(layer: list[_Place], wanted: list[float], beside: float) -> None:
    """The places nearest to the wanted ones that keep their order and distance: least squares by pooling neighbours."""
    offset, offsets = 0.0, []
    for index, place in enumerate(layer):
        if index:
            offset += layer[index - 1].width / 2 + beside + place.width / 2
        offsets.append(offset)
    pools: list[tuple[float, float, int]] = []
    for place, want, off in zip(layer, wanted, offsets, strict=True):
        value, weight, size = want - off, 1.0 if place.name else _STRAIGHT, 1
        while pools and pools[-1][0] > value:
            before, heavy, many = pools.pop()
            value, weight, size = _middle(before, heavy, value, weight), heavy + weight, many + size
        pools.append((value, weight, size))
    settled = [value for value, _, size in pools for _ in range(size)]
    for place, value, off in zip(layer, settled, offsets, strict=True):
        place.x = value + off


def _middle(one: float, weight: float, other: float, weight_of_other: float) -> float:
    return (one * weight + other * weight_of_other) / (weight + weight_of_other)


def _drawn(layers: list[list[_Place]], ways: list[_Way], gaps: Gaps) -> Layout:
    tops, y = [], 0.0
    heights = [max((p.height for p in layer), default=0) for layer in layers]
    for height in heights:
        tops.append(y)
        y += height + gaps.below
    corners = {p.name: (p.x - p.width / 2, tops[p.rank]) for layer in layers for p in layer if p.name}
    ports = _ports(ways)
    routes = [_route(way, ports, tops, heights, corners) for way in ways]
    labels = [
        (way.label.x, tops[way.label.rank] + heights[way.label.rank] / 2) if way.label else None
        for way in ways
    ]
    width = max(p.x + p.width / 2 for layer in layers for p in layer)
    return Layout(width, y - gaps.below, corners, routes, labels)


def _route(
    way: _Way,
    ports: Mapping[tuple[int, bool], float],
    tops: list[float],
    heights: list[float],
    corners: Mapping[str, Point],
) -> list[Point]:
    """Points of an edge from its source to its target; straight through the layers that it only passes."""
    upper, lower = way.places[0], way.places[-1]
    if upper is lower:
        return _to_itself(upper, corners)
    points = [(ports[id(way), True], corners[upper.name][1] + upper.height)]
    points.append((points[0][0], tops[upper.rank] + heights[upper.rank]))
    for place in way.places[1:-1]:
        points += [(place.x, tops[place.rank]), (place.x, tops[place.rank] + heights[place.rank])]
    port = ports[id(way), False]
    points += [(port, tops[lower.rank]), (port, corners[lower.name][1])]
    once = points[:1] + [point for before, point in pairwise(points) if point != before]
    return once[::-1] if way.turned else once


def _to_itself(place: _Place, corners: Mapping[str, Point]) -> list[Point]:
    x, y = corners[place.name]
    right, third = x + place.width, place.height / 3
    return [(right, y + third), (right + 14, y + third), (right + 14, y + 2 * third), (right, y + 2 * third)]


def _ports(ways: list[_Way]) -> dict[tuple[int, bool], float]:
    """Where on the edge of a node each way leaves or comes: side by side, in the order of where they go."""
    at_node: dict[tuple[str, bool], list[_Way]] = {}
    for way in ways:
        if way.places[0] is not way.places[-1]:
            at_node.setdefault((way.places[0].name, True), []).append(way)
            at_node.setdefault((way.places[-1].name, False), []).append(way)
    ports: dict[tuple[int, bool], float] = {}
    for (_, leaving), same in at_node.items():
        place, next_ = same[0].places[0 if leaving else -1], 1 if leaving else -2
        same.sort(key=lambda way: way.places[next_].x)
        room = min(place.width * 0.6, 28.0 * (len(same) - 1))
        for index, way in enumerate(same):
            aside = room * index / (len(same) - 1) - room / 2 if len(same) > 1 else 0.0
            ports[id(way), leaving] = place.x + aside
    return ports


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
