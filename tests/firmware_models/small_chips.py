"""Small virtual chips, and what enumeration says of them."""

import numpy as np

from firmware_models.analog import Imperfections
from firmware_models.chip_profile import ChipProfile, Maker, Physics, Timing, Values
from firmware_models.virtual_chip import VirtualChip
from firmware_models.wires import Topology
from isingeq.backend import SettleRequest
from isingeq.couplings import Dense, Edges
from isingeq.problem import Problem
from isingeq.units import Layer, Spin

BETA = 0.6
ANY, UNTIMED = Values(), Timing()
TRIANGLE = Topology("edges", edges=((0, 1), (0, 2), (1, 2), (2, 3)))
EVERY = {
    "gain_sigma": 0.4, "coupling_offset_sigma": 0.3, "field_gain_sigma": 0.3, "offset_sigma": 0.5, "crosstalk": 0.2,
}  # fmt: skip


def chip(
    topology=TRIANGLE, *, physics=f"exact?beta={BETA}", seed=1, coupling=ANY, field=ANY, timing=UNTIMED,
    **wrong,
):  # fmt: skip
    profile = ChipProfile(
        "small", Maker("nobody", "small"), topology, Physics(physics), coupling=coupling, field=field, timing=timing,
    )  # fmt: skip
    return VirtualChip(profile, Imperfections(**wrong), seed)


def problem(J=(0.8, -0.5, 0.7, 0.3), rows=3, seed=0):
    """Four spins, an odd cycle and a tail, rows that differ."""
    i, j = np.array([0, 0, 1, 2]), np.array([1, 2, 2, 3])
    fields = np.random.default_rng(seed).uniform(-1, 1, (rows, 4))
    return Problem((Layer("a", 4, Spin()),), (Edges(4, i, j, np.array(J, float)),), fields)


def layered(rows=2):
    """The same graph as blocks, with an edge that two couplings share."""
    blocks = (
        Dense((0, 1), (1, 3), np.array([[0.8, -0.5]])),
        Edges(4, np.array([0, 1, 2]), np.array([1, 2, 3]), np.array([0.1, 0.7, 0.3])),
    )
    fields = np.random.default_rng(2).uniform(-1, 1, (rows, 4))
    return Problem((Layer("a", 1, Spin()), Layer("b", 2, Spin()), Layer("c", 1, Spin())), blocks, fields)  # fmt: skip


def states(n):
    bits = np.arange(2**n)[:, None] >> np.arange(n - 1, -1, -1) & 1
    return 2.0 * bits - 1


def terms(s):
    i, j = np.triu_indices(s.shape[-1], 1)
    return np.concatenate([s, s[..., i] * s[..., j]], axis=-1)


def enumerated(J, h, *, beta=BETA, given=None):
    """Moments of exp(−β E) for a matrix J (n, n) and fields (b, n); `given` has −1 or +1 where spins are held."""
    n = h.shape[1]
    every = states(n)
    if given is not None:
        every = every[((given == 0) | (every == given)).all(axis=1)]
    energy = h @ every.T + np.einsum("sn,nm,sm->s", every, np.triu(J, 1), every)
    weights = np.exp(-beta * (energy - energy.min(axis=1, keepdims=True)))
    return weights / weights.sum(axis=1, keepdims=True) @ terms(every)


def matrix(p):
    J = np.zeros((p.n, p.n))
    for coupling in p.couplings:
        i, j, values = coupling.edges()
        np.add.at(J, (i, j), values)
    return J + J.T


def truth(c, p, h=None):
    """J' (n, n) and h' (b, n) worked out from the mismatch, entry by entry."""
    m, told, n = c.mismatch, matrix(p), p.n
    h = p.fields if h is None else h
    J, real = np.zeros((n, n)), np.zeros(h.shape)
    i, j, places = c.wires.among(n)
    beside = np.zeros((n, n))
    for a, b, at in zip(i, j, places, strict=True):
        beside[a, b] = beside[b, a] = 1
        if not m.dead_edges[at]:
            J[a, b] = J[b, a] = (1 + m.coupling_gain[at]) * told[a, b] + m.coupling_offset[at]
    for row in range(len(h)):
        for u in range(n):
            leaks = c.imperfections.crosstalk * (beside[u] * h[row]).sum()
            real[row, u] = (1 + m.field_gain[u]) * h[row, u] + m.field_offset[u] + leaks
    real[:, m.dead_units[:n]] = 0
    return J, real


def moments(answer):
    """Moments of an answer (b, terms), weighted where it has weights."""
    found = terms(answer.states.astype(float))
    if answer.weights is None:
        return found.mean(axis=1)
    return np.einsum("br,brt->bt", answer.weights, found)


def settle(c, p, *more, reads=1, **options):
    return c.settle(SettleRequest(p, *more, reads=reads, precision="float64", **options))


class Watched:
    """A backend, and the requests that it got."""

    def __init__(self, inner):
        self.inner = inner
        self.requests = []

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def settle(self, request):
        self.requests.append(request)
        return self.inner.settle(request)


def watched(c):
    """Return the requests that the physics of a chip gets from now on."""
    c.physics = Watched(c.physics)
    return c.physics.requests
