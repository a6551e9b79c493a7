"""Block sweeps against plain numpy, bit for bit: colours, tables of quads, fields, decisions, tiles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isingeq.kernels.acceptance import EXP2, FARTHEST, MAGIC
from isingeq.kernels.blocks import CAN_PERMUTE
from isingeq.kernels.colours import Rows, colours, quad_blocks, quad_places, quads_of, rows_of
from isingeq.kernels.replica_random import draw, draw_spins, replica_keys, words
from isingeq.kernels.sweeps import Chances, Replicas, sweep_quads, sweep_rows
from isingeq.machines.graph import Graph

F = np.float32
BETAS = np.array([0.3, 0.9, 2.5])
needs_permutation = pytest.mark.skipif(not CAN_PERMUTE, reason="no permutation in registers")


def graph_of(n, density, *, seed=0, whole=False):
    rng = np.random.default_rng(seed)
    i, j = np.triu_indices(n, 1)
    kept = rng.random(i.size) < density
    i, j = i[kept], j[kept]
    return Graph.of(
        n, i, j, rng.choice([-2.0, -1, 1, 3], i.size) if whole else rng.normal(size=i.size)
    )


def rows(graph):
    order = np.argsort(colours(graph.starts, graph.neighbours), kind="stable").astype(np.int32)
    return rows_of(graph.starts, graph.neighbours, graph.values, order)


def quads(graph):
    units = quad_places(colours(graph.starts, graph.neighbours))
    blocks = quad_blocks(graph.starts, graph.neighbours, units)
    return quads_of(graph.starts, graph.neighbours, graph.values, units, *blocks)


def replicas_of(n, b, reads, *, seed=5, sweep=0, h=None):
    if h is None:
        h = np.random.default_rng(seed).normal(0, 0.6, (b, n))
    keys = replica_keys(np.uint64(seed), np.arange(b), reads)
    spins = np.empty((b * reads, n), np.int8)
    draw_spins(keys, 0, b * reads, spins)
    return Replicas(h, spins, keys, reads, sweep)


def thermal(kappa, shift=0):
    scales = (2 / np.log(2) * BETAS).astype(F)
    return Chances(scales, np.array([kappa, 2.0 ** (shift - 32)], F), shift, np.zeros(1, np.uint32))


def fused(a, b, c):
    return (np.asarray(a, np.float64) * b + c).astype(F)


def exponential(z, scale):
    """2^(−|z| scale), as the kernel has it."""
    y = np.minimum(np.abs(z) * scale, F(FARTHEST))
    whole = (y + F(MAGIC)) - F(MAGIC)
    power = np.full_like(y, EXP2[-1])
    for c in EXP2[-2::-1]:
        power = fused(power, whole - y, F(c))
    return power * np.exp2(-whole)


def decided(z, x, up, scale, chances):
    """Which spins are +1 afterwards, all (R,)."""
    k = (x >> np.uint32(chances.shift)).astype(F)
    kappa, step = chances.constants
    e = exponential(z, scale)
    against = fused(k, step, F(0.5) * step) * fused(kappa, e, F(1)) < e
    if kappa == 0:
        against &= up == (z < 0)
    return (z < 0) ^ against


def fields(net, at, k, h, up):
    """Field of spin k of place or quad `at` (R,); `up` (R, n)."""
    place = at + k if isinstance(net, Rows) else 4 * at + k
    total = np.full(len(h), net.base[place], np.int64)
    for e in range(net.starts[at], net.starts[at + 1]):
        if isinstance(net, Rows):
            total += up[:, net.units[net.columns[e]]] * net.values[e]
        else:
            others = net.units[4 * net.columns[e] : 4 * net.columns[e] + 4]
            signs = sum(up[:, u] << q for q, u in enumerate(others) if u >= 0)
            total += net.values[e, k, signs]
    return fused(total.astype(F), net.grain[place], h[:, net.units[place]].astype(F))


def plain(net, chances, replicas):
    """All sweeps in numpy; spins (R, n)."""
    up = (replicas.spins > 0).astype(np.int64)
    h = np.repeat(replicas.h, replicas.reads, axis=0)
    one = isinstance(net, Rows)
    for t, scale in enumerate(chances.scales):
        low, high = np.array([words(key, replicas.sweep + t) for key in replicas.keys]).T
        for at in range(net.starts.size - 1):
            after = {}
            for k in range(1 if one else 4):
                unit = net.units[at] if one else net.units[4 * at + k]
                if unit < 0:
                    continue
                x = np.array(
                    [draw(np.uint32(a), np.uint32(b), unit) for a, b in zip(low, high, strict=True)]
                )
                z = fields(net, at, k, h, up)
                after[unit] = decided(z, x.astype(np.uint32), up[:, unit], scale, chances)
            for unit, values in after.items():
                up[:, unit] = values
    return (2 * up - 1).astype(np.int8)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40), st.floats(0, 1), st.integers(0, 99))
def test_coupled_spins_have_different_colours(n, density, seed):
    graph = graph_of(n, density, seed=seed)
    colour = colours(graph.starts, graph.neighbours)
    row = np.repeat(np.arange(n), np.diff(graph.starts))
    assert (colour[row] != colour[graph.neighbours]).all()
    assert colour.min() == 0
    assert colour.max() <= np.diff(graph.starts).max(initial=0)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 99))
def test_a_bipartite_graph_has_two_colours_however_its_spins_are_numbered(seed):
    rng = np.random.default_rng(seed)
    place = rng.permutation(30)
    i, j = np.nonzero(rng.random((12, 18)) < 0.15)
    graph = Graph.of(30, place[i], place[12 + j], np.ones(i.size))
    assert colours(graph.starts, graph.neighbours).max() == 1


def test_a_complete_graph_has_as_many_colours_as_spins():
    graph = graph_of(9, 1.0)
    assert sorted(colours(graph.starts, graph.neighbours)) == list(range(9))


@pytest.mark.parametrize("density", [0.1, 0.6])
def test_tables_of_quads_hold_the_sums_of_their_couplings(density):
    graph = graph_of(23, density)
    net = quads(graph)
    assert sorted(net.units[net.units >= 0]) == list(range(23))
    J = np.zeros((24, 24))
    J[:23, :23] = graph.dense
    signs = 2 * (np.arange(16)[:, None] >> np.arange(4) & 1) - 1
    seen = np.zeros((24, 24))
    for quad in range(net.starts.size - 1):
        for e in range(net.starts[quad], net.starts[quad + 1]):
            mine, others = (net.units[4 * q : 4 * q + 4] for q in (quad, net.columns[e]))
            block = J[np.ix_(mine, others)]
            grain = net.grain[4 * quad : 4 * quad + 4, None]
            np.testing.assert_allclose(net.values[e] * grain, block @ signs.T, atol=1e-7)
            seen[np.ix_(mine, others)] += block
    np.testing.assert_allclose(seen[:23, :23], J[:23, :23], rtol=1e-6)


@pytest.mark.parametrize("kind", ["rows", pytest.param("quads", marks=needs_permutation)])
@pytest.mark.parametrize(
    ("b", "reads", "kappa", "shift"),
    [(1, 1, 1.0, 0), (7, 3, 1.0, 0), (5, 14, 0.0, 0), (9, 2, 1.0, 25)],
)
def test_sweeps_are_those_of_plain_numpy(kind, b, reads, kappa, shift):
    graph = graph_of(22, 0.3 if kind == "rows" else 0.6)
    chances = thermal(kappa, shift)
    replicas = replicas_of(22, b, reads, sweep=2)
    if kind == "rows":
        net = rows(graph)
        wanted = plain(net, chances, replicas)
        sweep_rows(0, b * reads, net, chances, replicas, False, False)
    else:
        net = quads(graph)
        wanted = plain(net, chances, replicas)
        sweep_quads(0, b * reads, net, chances, replicas)
    np.testing.assert_array_equal(replicas.spins, wanted)


def test_the_chance_to_stand_against_a_field_is_exact_to_float32():
    z = np.random.default_rng(0).uniform(-40, 40, 20_000).astype(F)
    scale = F(2 / np.log(2) * 0.9)
    exact = np.exp2(-np.abs(z.astype(np.float64)) * scale)
    # Rounding y = |z| scale itself moves e by ln 2 · y half a unit in the last place.
    allowed = 2e-7 + np.log(2) * np.abs(z) * scale * 2.0**-24
    assert (np.abs(exponential(z, scale) / exact - 1) < allowed).all()
    assert exponential(np.zeros(1, F), scale) == 1
    assert exponential(np.array([1e20], F), F(1e10)) == F(2.0**-FARTHEST)


@needs_permutation
@pytest.mark.parametrize("whole", [True, False])
def test_rows_and_quads_agree(whole):
    graph = graph_of(45, 0.4, whole=whole)
    h = np.random.default_rng(2).integers(-2, 3, (50, 45)).astype(float)
    by_rows, by_quads = replicas_of(45, 50, 3, h=h), replicas_of(45, 50, 3, h=h)
    sweep_rows(0, 150, rows(graph), thermal(1.0), by_rows, False, False)
    sweep_quads(0, 150, quads(graph), thermal(1.0), by_quads)
    np.testing.assert_array_equal(by_rows.spins, by_quads.spins)
    assert not np.array_equal(by_rows.spins, replicas_of(45, 50, 3, h=h).spins)


@pytest.mark.parametrize("kind", ["rows", pytest.param("quads", marks=needs_permutation)])
def test_tiles_do_not_touch_what_a_replica_does(kind):
    """300 replicas at once take three tiles; piece by piece they stand in other lanes, many or one at a time."""
    graph = graph_of(30, 0.5)
    net, sweep = (rows(graph), sweep_rows) if kind == "rows" else (quads(graph), sweep_quads)
    extra = (False, False) if kind == "rows" else ()
    whole, pieces = replicas_of(30, 100, 3), replicas_of(30, 100, 3)
    sweep(0, 300, net, thermal(1.0), whole, *extra)
    for first, last in [(0, 5), (5, 138), (138, 202), (202, 300)]:
        sweep(first, last, net, thermal(1.0), pieces, *extra)
    np.testing.assert_array_equal(whole.spins, pieces.spins)


def test_together_every_spin_sees_the_sweep_before():
    """Two spins that want to agree, far from noise, swap for ever."""
    graph = Graph.of(2, np.array([0]), np.array([1]), np.array([-30.0]))
    net = rows_of(graph.starts, graph.neighbours, graph.values, np.arange(2, dtype=np.int32))
    replicas = replicas_of(2, 1, 20, h=np.zeros((1, 2)))
    replicas.spins[:] = [1, -1]
    sweep_rows(0, 20, net, thermal(1.0), replicas, True, False)
    np.testing.assert_array_equal(replicas.spins, np.tile(np.int8([-1, 1]), (20, 1)))
    sweep_rows(0, 20, net, thermal(1.0), replicas, False, False)
    assert (replicas.spins[:, 0] == replicas.spins[:, 1]).all()


@pytest.mark.parametrize("kind", ["rows", pytest.param("quads", marks=needs_permutation)])
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_largest_sum_does_not_overflow(kind, sign):
    """All couplings of a spin pull one way, and add up to a power of two."""
    leaves = np.arange(1, 9)
    graph = Graph.of(9, np.zeros(8, int), leaves, np.ones(8))
    h = np.full((1, 9), -100.0 * sign)
    h[0, 0] = 0
    replicas = replicas_of(9, 1, 20, h=h)
    if kind == "rows":
        sweep_rows(0, 20, rows(graph), thermal(1.0), replicas, False, False)
    else:
        sweep_quads(0, 20, quads(graph), thermal(1.0), replicas)
    np.testing.assert_array_equal(replicas.spins, np.tile([-sign] + [sign] * 8, (20, 1)))
