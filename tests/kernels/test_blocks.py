"""Block sweeps against plain numpy, bit for bit: colours, tables, fields, decisions, tiles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isingeq.kernels.acceptance import EXP2, FARTHEST, MAGIC
from isingeq.kernels.blocks import CAN_LOOK_UP
from isingeq.kernels.colours import (
    LOW,
    MIDDLE,
    RUN,
    Rows,
    blocks_of,
    colours,
    grain_of,
    rows_of,
    tables_of,
)
from isingeq.kernels.replica_random import draw, draw_spins, replica_keys, words
from isingeq.kernels.sweeps import Chances, Replicas, sweep_rows, sweep_tables
from isingeq.machines.graph import Graph

F = np.float32
BETAS = np.array([0.3, 0.9, 2.5])
needs_look_up = pytest.mark.skipif(not CAN_LOOK_UP, reason="no tables of bytes in registers")


def graph_of(n, density, *, seed=0, whole=False):
    rng = np.random.default_rng(seed)
    i, j = np.triu_indices(n, 1)
    kept = rng.random(i.size) < density
    i, j = i[kept], j[kept]
    return Graph.of(
        n, i, j, rng.choice([-2.0, -1, 1, 3], i.size) if whole else rng.normal(size=i.size)
    )


def rows(graph):
    return rows_of(graph.starts, graph.neighbours, graph.values, graph.order)


def tables(graph):
    blocks = blocks_of(graph.starts, graph.neighbours, graph.order)
    return tables_of(graph.starts, graph.neighbours, graph.values, graph.order, *blocks)


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
    size = np.minimum(np.abs(z), F(FARTHEST) / max(scale, F(1e-36)))
    whole = fused(size, scale, F(MAGIC)) - F(MAGIC)
    g = fused(-size, scale, whole)
    power = np.full_like(g, EXP2[-1])
    for c in EXP2[-2::-1]:
        power = fused(power, g, F(c))
    return power * np.exp2(-whole)


def decided(z, x, up, scale, chances):
    """Which spins are +1 afterwards, all (R,)."""
    k = (x >> np.uint32(chances.shift)).astype(F)
    bath, step = chances.constants
    u, e = fused(k, step, F(0.5) * step), exponential(z, scale)
    if bath:
        return (z < 0) ^ (fused(u, e, u) < e)
    return (z < 0) ^ ((u < e) & (up == (z < 0)))


def fields(net, at, h, up):
    """Field of the spin at a place (R,); `up` (R, n)."""
    total = np.full(len(h), net.base[at], np.int64)
    for e in range(net.starts[at], net.starts[at + 1]):
        values = net.values[e].astype(np.int64)
        if isinstance(net, Rows):
            total += up[:, net.units[net.columns[e]]] * (values[0] + (values[1] << LOW))
            continue
        others = net.units[16 * net.columns[e] : 16 * net.columns[e] + 16]
        for four in range(4):
            signs = sum(up[:, u] << q for q, u in enumerate(others[4 * four : 4 * four + 4]))
            for byte in range(3):
                total += values[byte, 16 * four + signs] << 8 * byte
    total = total.astype(np.uint32).view(np.int32)
    return fused(total.astype(F), net.grain[at], h[:, net.units[at]].astype(F))


def plain(net, chances, replicas):
    """All sweeps in numpy; spins (R, n)."""
    up = (replicas.spins > 0).astype(np.int64)
    h = np.repeat(replicas.h, replicas.reads, axis=0)
    for t, scale in enumerate(chances.scales):
        low, high = np.array([words(key, replicas.sweep + t) for key in replicas.keys]).T
        for at, unit in enumerate(net.units):
            x = np.array(
                [draw(np.uint32(a), np.uint32(b), unit) for a, b in zip(low, high, strict=True)]
            )
            z = fields(net, at, h, up)
            up[:, unit] = decided(z, x.astype(np.uint32), up[:, unit], scale, chances)
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
def test_tables_hold_the_sums_of_their_couplings(density):
    graph = graph_of(23, density)
    net = tables(graph)
    assert sorted(net.units) == list(range(23))
    signs = 2 * (np.arange(16)[:, None] >> np.arange(4) & 1) - 1
    J, seen = np.zeros((23, 32)), np.zeros((23, 32))
    J[:, :23] = graph.dense[np.ix_(net.units, net.units)]
    for at in range(23):
        for e in range(net.starts[at], net.starts[at + 1]):
            block = slice(16 * net.columns[e], 16 * net.columns[e] + 16)
            whole = (net.values[e].astype(int) << 8 * np.arange(3)[:, None]).sum(axis=0) - MIDDLE
            sums = J[at, block].reshape(4, 4) @ signs.T
            np.testing.assert_allclose(whole.reshape(4, 16) * net.grain[at], sums, atol=3e-6)
            seen[at, block] += J[at, block]
        assert (net.base[at] + 4 * MIDDLE * (net.starts[at + 1] - net.starts[at])) % 2**32 == 0
    np.testing.assert_array_equal(seen, J)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 300), st.floats(-3, 3), st.integers(0, 99))
def test_whole_numbers_of_grains_fit_and_are_as_fine_as_float32_sums(count, skew, seed):
    rng = np.random.default_rng(seed)
    J = (rng.choice([-1, 1], count) * 10 ** (skew * rng.normal(size=count))).astype(F)
    whole = np.rint(J / np.float64(grain_of(J)))
    for first in range(0, count, RUN):
        run = 2 * whole[first : first + RUN]
        upper = np.floor(run / 2**LOW + 0.5)
        assert np.abs(upper).sum() < 2**15
        assert np.abs(run - upper * 2**LOW).sum() <= 2**15
    assert 4 * np.abs(whole).max() < MIDDLE
    assert np.abs(whole).sum() < 2**31
    longest = max(np.abs(J[k : k + RUN]).sum(dtype=float) for k in range(0, count, RUN))
    most = max(
        longest * 2.0**-22, np.abs(J).max() * 2.0**-20, np.abs(J).sum(dtype=float) * 2.0**-29
    )
    assert grain_of(J) <= 1.01 * most


@pytest.mark.parametrize("kind", ["rows", pytest.param("tables", marks=needs_look_up)])
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
        net = tables(graph)
        wanted = plain(net, chances, replicas)
        sweep_tables(0, b * reads, net, chances, replicas)
    np.testing.assert_array_equal(replicas.spins, wanted)


def test_the_chance_to_stand_against_a_field_is_exact_to_float32():
    z = np.random.default_rng(0).uniform(-40, 40, 20_000).astype(F)
    scale = F(2 / np.log(2) * 0.9)
    exact = np.exp2(-np.abs(z.astype(np.float64)) * scale)
    # Rounding y = |z| scale itself moves e by ln 2 · y half a unit in the last place.
    allowed = 2e-7 + np.log(2) * np.abs(z) * scale * 2.0**-24
    assert (np.abs(exponential(z, scale) / exact - 1) < allowed).all()
    assert exponential(np.zeros(1, F), scale) == 1
    farthest = exponential(np.array([1e20], F), F(1e10))
    np.testing.assert_allclose(farthest, 2.0**-FARTHEST, rtol=1e-5)


@needs_look_up
@pytest.mark.parametrize("whole", [True, False])
def test_rows_and_tables_agree(whole):
    graph = graph_of(45, 0.4, whole=whole)
    h = np.random.default_rng(2).integers(-2, 3, (50, 45)).astype(float)
    by_rows, by_tables = replicas_of(45, 50, 3, h=h), replicas_of(45, 50, 3, h=h)
    sweep_rows(0, 150, rows(graph), thermal(1.0), by_rows, False, False)
    sweep_tables(0, 150, tables(graph), thermal(1.0), by_tables)
    np.testing.assert_array_equal(by_rows.spins, by_tables.spins)
    assert not np.array_equal(by_rows.spins, replicas_of(45, 50, 3, h=h).spins)


@pytest.mark.parametrize("kind", ["rows", pytest.param("tables", marks=needs_look_up)])
def test_tiles_do_not_touch_what_a_replica_does(kind):
    """300 replicas at once take three tiles; piece by piece they stand in other lanes, many or one at a time."""
    graph = graph_of(30, 0.5)
    net, sweep = (rows(graph), sweep_rows) if kind == "rows" else (tables(graph), sweep_tables)
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


@pytest.mark.parametrize("kind", ["rows", pytest.param("tables", marks=needs_look_up)])
@pytest.mark.parametrize("leaves", [8, 64, 65, 200])
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_largest_sum_does_not_overflow(kind, leaves, sign):
    """All couplings of a spin pull one way, and add up to a power of two where there are as many."""
    graph = Graph.of(leaves + 1, np.zeros(leaves, int), 1 + np.arange(leaves), np.ones(leaves))
    h = np.full((1, leaves + 1), -3.0 * leaves * sign)
    h[0, 0] = 0
    replicas = replicas_of(leaves + 1, 1, 20, h=h)
    if kind == "rows":
        sweep_rows(0, 20, rows(graph), thermal(1.0), replicas, False, False)
    else:
        sweep_tables(0, 20, tables(graph), thermal(1.0), replicas)
    np.testing.assert_array_equal(replicas.spins, np.tile([-sign] + [sign] * leaves, (20, 1)))
