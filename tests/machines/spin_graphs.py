"""Small frustrated graphs with fields, and how far samples of them are from enumeration."""

import math

import numpy as np

from isingeq.machines.graph import Graph

BETA = 0.55


def graph_of(kind):
    """Frustrated graphs: an odd ring with chords, every pair, or three groups of four, every pair between groups."""
    rng = np.random.default_rng(3)
    if kind == "ring":
        i, j = np.array([0, 1, 2, 3, 4, 5, 0, 1, 2]), np.array([1, 2, 3, 4, 5, 6, 6, 4, 6])
        return Graph.of(7, i, j, rng.uniform(0.4, 1.1, i.size))
    n = {"complete": 6, "groups": 12}[kind]
    i, j = np.triu_indices(n, 1)
    if kind == "groups":
        kept = i // 4 != j // 4
        i, j = i[kept], j[kept]
    return Graph.of(n, i, j, rng.normal(0.2, 0.6, i.size))


def fields_of(graph, b=3):
    return np.random.default_rng(8).normal(0, 0.5, (b, graph.n))


def states(n):
    return 2.0 * (np.arange(2**n)[:, None] >> np.arange(n) & 1) - 1


def energies(graph, h, s):
    """Of states (…, n), fields h that broadcast against them."""
    return (s * (h + 0.5 * (s @ graph.dense.astype(np.float64)))).sum(axis=-1)


def errors_off(spins, graph, h, beta):
    """Largest distance of a first or second moment or mean energy from enumeration, in standard errors."""
    s, worst = states(graph.n), 0.0
    for drawn, row in zip(spins.astype(np.float64), h, strict=True):
        energy = energies(graph, row, s)
        weight = np.exp(-beta * (energy - energy.min()))
        weight /= weight.sum()

        def moments(x, row=row):
            pairs = (x[:, :, None] * x[:, None, :])[:, *np.triu_indices(graph.n, 1)]
            return np.concatenate([x, pairs, energies(graph, row, x)[:, None]], axis=1)

        exact = moments(s)
        mean = weight @ exact
        sigma = np.sqrt(weight @ exact**2 - mean**2)
        off = np.abs(moments(drawn).mean(axis=0) - mean) / (sigma / math.sqrt(len(drawn)))
        worst = max(worst, float(off.max()))
    return worst
