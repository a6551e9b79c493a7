"""Graphs of networkx as problems: edges carry `weight`, 1 where it is missing, nodes may carry a field `h`.

networkx is no dependency: whoever has graphs has it.
"""

import json
from collections.abc import Callable, Hashable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from isingeq.errors import ConfigError, DataError, ProblemError
from isingeq.problem import Problem
from isingeq.solving.pairs import edges_of, spin_problem

Labelled = tuple[Problem, list[Hashable]]


def from_networkx(graph: Any, *, name: str = "the graph") -> Labelled:
    """Return an undirected graph as a problem, E = Σ weight s s + Σ h s, and the node of every spin.

    Args:
        graph: of networkx.
        name: of the graph, for messages.

    Raises:
        ProblemError: a directed graph, parallel edges, self-loops, or weights and fields that are no finite numbers.
    """
    if graph.is_directed() or graph.is_multigraph():
        raise ProblemError(f"{name} is directed or has parallel edges: make it a networkx.Graph")
    labels = list(graph.nodes)
    place = {label: number for number, label in enumerate(labels)}
    pairs = list(graph.edges(data="weight", default=1.0))
    ends = np.array([(place[u], place[v]) for u, v, _ in pairs], np.int64).reshape(-1, 2)
    weights = _numbers([w for *_, w in pairs], f"{name}: a weight")
    edges = edges_of(
        len(labels), ends[:, 0], ends[:, 1], weights,
        at=lambda k: f"{name}, edge {pairs[k][:2]}" if pairs else name,
    )  # fmt: skip
    fields = _numbers([h for _, h in graph.nodes(data="h", default=0.0)], f"{name}: a field")
    if not np.isfinite(fields).all():
        raise ProblemError(f"{name}: a field is NaN or infinite; it has to be finite")
    return spin_problem(len(labels), edges, h=fields), labels


def read_node_link(path: Path) -> Labelled:
    """Read a graph in JSON, as `networkx.node_link_data` gives it."""

    def parse(nx: Any) -> Any:
        data = json.loads(path.read_text("utf-8"))
        key = "links" if "links" in data else "edges"
        graph = nx.node_link_graph(data, multigraph=False, edges=key)
        if graph.number_of_edges() != len(data[key]):
            raise ValueError("an edge is listed twice")
        return graph

    return _read(path, "node-link JSON", parse)


def read_graphml(path: Path) -> Labelled:
    """Read a graph in GraphML."""
    return _read(path, "GraphML", lambda nx: nx.read_graphml(path))


def read_edge_list(path: Path) -> Labelled:
    """Read a list of edges, `u v` or `u v weight` on each line, nodes by any name, # before a comment."""

    def parse(nx: Any) -> Any:
        graph = nx.Graph()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            words = line.split("#", 1)[0].split()
            if len(words) not in (0, 2, 3):
                raise ValueError(f"line {number} has {len(words)} words, not `u v` or `u v weight`")
            if graph.has_edge(*words[:2]) if words else False:
                raise ValueError(f"line {number} lists {words[0]} {words[1]} again")
            if words:
                graph.add_edge(*words[:2], weight=float(words[2]) if words[2:] else 1.0)
        return graph

    return _read(path, "list of edges", parse)


def _read(path: Path, kind: str, parse: Callable[[Any], Any]) -> Labelled:
    try:
        nx = import_module("networkx")
    except ImportError:
        raise ConfigError(f"{path} is read by networkx, which is not there: install it") from None
    try:
        graph = parse(nx)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:
        text = " ".join(str(error).split())
        raise ProblemError(f"{path} is no {kind}: {type(error).__name__} {text}") from error
    return from_networkx(graph, name=str(path))


def _numbers(values: list[Any], what: str) -> np.ndarray:
    try:
        return np.array(values, np.float64).reshape(-1)
    except (TypeError, ValueError):
        raise ProblemError(f"{what} is no number") from None
