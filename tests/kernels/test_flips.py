"""Both kernels that flip spins, against a plain twin that takes the same thresholds."""

import numpy as np
import pytest

from isingeq.kernels.local_fields import LocalFields
from isingeq.kernels.pool import Pool
from isingeq.kernels.replica_lanes import POOL, TILE, ReplicaLanes
from isingeq.kernels.replica_random import (
    HEAT_BATH,
    METROPOLIS,
    draw,
    draw_spins,
    fill_units,
    highest,
    replica_keys,
    scales,
    staying,
    words,
)
from isingeq.machines.graph import Graph

BETAS = np.array([0.05, 0.3, 0.7, 0.2, 1.5])
RULES = {"metropolis": METROPOLIS, "heat bath": HEAT_BATH}


@pytest.fixture
def pool():
    pool = Pool(1)
    yield pool
    pool.close()


class Case:
    """A graph with rows of every length from 0, fields that differ per sample, and replicas at their start."""

    def __init__(self, dtype, samples, reads, *, n=23, fields=True, seed=0):
        rng = np.random.default_rng(seed)
        i, j = np.triu_indices(n - 1, 1)  # the last spin has no neighbour
        kept = rng.random(i.size) < 0.3
        size = {np.int8: 3, np.int16: 100, np.int32: 30_000_000}[dtype]
        J = rng.integers(1, size + 1, kept.sum()) * rng.choice([-1, 1], kept.sum())
        self.matrix = np.zeros((n, n), np.int64)
        self.matrix[i[kept], j[kept]] = J
        self.matrix += self.matrix.T
        graph = Graph.of(n, i[kept], j[kept], np.ones(kept.sum()))
        rows = np.repeat(np.arange(n), np.diff(graph.starts))
        values = self.matrix[rows, graph.neighbours].astype(dtype)
        self.couplings = (graph.starts, graph.neighbours, values)
        self.h = (rng.integers(-size, size + 1, (samples, n)) * fields).astype(dtype)
        self.reach = (np.abs(self.matrix).sum(axis=1) + np.abs(self.h)).max()
        assert self.reach <= np.iinfo(dtype).max
        self.keys = replica_keys(np.uint64(5), np.arange(samples), reads)
        self.spins = np.empty((samples * reads, n), np.int8)
        draw_spins(self.keys, 0, len(self.keys), self.spins)
        self.scales, self.high = scales(BETAS, 1.5 / size), highest(dtype)
        self.samples, self.reads, self.n = samples, reads, n

    def thresholds(self, replica, t, rule, pooled):
        dtype = self.h.dtype
        if not pooled:
            out = np.empty(self.n, dtype)
            fill_units(out, *words(self.keys[replica], t), 0, rule, self.scales[t], self.high)
            return out
        read = replica % self.reads
        a, b = words(self.keys[replica - read % TILE], t)
        shared = np.empty(POOL + TILE, dtype)
        fill_units(shared, a, b, 0, rule, self.scales[t], self.high)
        return [shared[(int(draw(b, a, i)) & (POOL - 1)) + read % TILE] for i in range(self.n)]

    def twin(self, rule, *, pooled=False):
        """Spins after all sweeps (R, n), one flip at a time."""
        spins = self.spins.astype(np.int64)
        for replica, s in enumerate(spins):
            for t in range(BETAS.size):
                limits = self.thresholds(replica, t, rule, pooled)
                stays = staying(t, -1, rule)
                for i in range(self.n):
                    f = self.h[replica // self.reads, i] + self.matrix[i] @ s
                    if i == stays:
                        stays = staying(t, i, rule)
                        if f == 0:
                            continue
                    if rule == HEAT_BATH:
                        s[i] = 1 if f <= limits[i] else -1
                    elif -s[i] * f <= limits[i]:
                        s[i] = -s[i]
        return spins

    def energies(self, spins):
        spins = spins.astype(np.int64)
        h = np.repeat(self.h.astype(np.int64), self.reads, axis=0)
        return np.einsum("rn,nm,rm->r", spins, self.matrix, spins) + 2 * (h * spins).sum(axis=1)

    def walk(self, kind, pool):
        if kind in ("lanes", "pooled"):
            return ReplicaLanes(
                self.couplings, self.h, self.keys, self.spins, pool, kind == "pooled"
            )
        shape = (self.n, self.n) if kind == "dense" else (0, 0)
        matrix = np.zeros(shape, self.h.dtype)
        if kind == "dense":
            matrix[:] = self.matrix
        return LocalFields(self.couplings, matrix, self.h, self.keys, self.spins, pool)

    def run(self, kind, rule, pool, *, sweeps=BETAS.size):
        walk = self.walk(kind, pool)
        walk.advance(0, sweeps, rule, self.scales)
        out = np.zeros_like(self.spins)
        walk.read(np.ones(len(out), np.bool_), out)
        return out


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
@pytest.mark.parametrize("kind", ["lanes", "list", "dense"])
def test_flips_are_those_of_the_twin(kind, dtype, rule, pool):
    case = Case(dtype, 3, 5)
    wanted = case.twin(rule)
    assert (wanted != case.spins).any(axis=1).all()
    np.testing.assert_array_equal(case.run(kind, rule, pool), wanted)


@pytest.mark.parametrize(
    ("samples", "reads"), [(1, 1), (1, 64), (1, 65), (1, 130), (2, 70), (140, 1)]
)
def test_any_number_of_replicas_flips_the_same(samples, reads, pool):
    """One word or two, full or not, one sample to a tile or several, and one replica at a time."""
    case = Case(np.int8, samples, reads)
    lanes, alone = (case.run(kind, METROPOLIS, pool) for kind in ("lanes", "list"))
    np.testing.assert_array_equal(lanes, alone)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_pooled_flips_are_those_of_the_twin(rule, pool):
    case = Case(np.int8, 2, 131)
    np.testing.assert_array_equal(case.run("pooled", rule, pool), case.twin(rule, pooled=True))


def test_pooled_flips_of_a_read_do_not_depend_on_how_many_there_are(pool):
    """Nor on the samples beside it."""
    whole, part = Case(np.int16, 3, 150), Case(np.int16, 3, 40)
    part.h[:] = whole.h
    rows = whole.run("pooled", METROPOLIS, pool).reshape(3, 150, -1)
    np.testing.assert_array_equal(
        part.run("pooled", METROPOLIS, pool).reshape(3, 40, -1), rows[:, :40]
    )


def test_long_runs_use_every_block_of_units(pool):
    """More units than thresholds are drawn at a time."""
    case = Case(np.int16, 1, 6, n=600)
    lanes, alone = (case.run(kind, METROPOLIS, pool) for kind in ("lanes", "list"))
    np.testing.assert_array_equal(lanes, alone)


@pytest.mark.parametrize("kind", ["lanes", "list"])
def test_sweeps_may_be_run_in_pieces_and_read_between(kind, pool):
    case = Case(np.int16, 2, 70)
    walk = case.walk(kind, pool)
    spins = case.spins.copy()
    everyone = np.ones(len(spins), np.bool_)
    np.testing.assert_array_equal(walk.twice_energies(), case.energies(spins))
    for t in range(BETAS.size):
        walk.advance(t, t + 1, METROPOLIS, case.scales)
        walk.read(everyone, spins)
        np.testing.assert_array_equal(walk.twice_energies(), case.energies(spins))
    np.testing.assert_array_equal(spins, case.run(kind, METROPOLIS, pool))
    some, kept = np.arange(len(spins)) % 3 == 0, np.zeros_like(spins)
    walk.read(some, kept)
    np.testing.assert_array_equal(kept, spins * some[:, None])


@pytest.mark.parametrize("fields", [True, False])
def test_energies_count_every_coupling_and_field_once(fields, pool):
    case = Case(np.int32, 3, 50, fields=fields)
    assert case.h.any() == fields
    for kind in ("lanes", "dense"):
        np.testing.assert_array_equal(
            case.walk(kind, pool).twice_energies(), case.energies(case.spins)
        )


@pytest.mark.parametrize("kind", ["lanes", "list", "pooled"])
def test_threads_change_nothing(kind, pool):
    case, several = Case(np.int8, 4, 100), Pool(3)
    one, three = (case.run(kind, METROPOLIS, p) for p in (pool, several))
    several.close()
    np.testing.assert_array_equal(three, one)


def test_fields_as_large_as_the_type_do_not_overflow(pool):
    """Sums wrap on the way to ±127: a star whose centre feels 126 spins and a field of 1."""
    n = 127
    graph = Graph.of(n, np.zeros(n - 1, np.intp), np.arange(1, n), np.ones(n - 1))
    matrix = np.zeros((0, 0), np.int8)
    h = np.zeros((1, n), np.int8)
    h[0, 0] = 1
    keys = replica_keys(np.uint64(0), np.arange(1), 2)
    cold, everyone = scales(np.array([1e3]), 1.0), np.ones(2, np.bool_)
    for leaf in (-1, 1):
        start = np.full((2, n), leaf, np.int8)
        start[:, 0] = leaf
        for walk in (
            ReplicaLanes(
                (graph.starts, graph.neighbours, np.ones(2 * n - 2, np.int8)),
                h,
                keys,
                start,
                pool,
                False,
            ),
            LocalFields(
                (graph.starts, graph.neighbours, np.ones(2 * n - 2, np.int8)),
                matrix,
                h,
                keys,
                start,
                pool,
            ),
        ):
            walk.advance(0, 1, HEAT_BATH, cold)
            out = np.zeros_like(start)
            walk.read(everyone, out)
            np.testing.assert_array_equal(out[:, 0], -leaf)
            np.testing.assert_array_equal(out[:, 1:], leaf)
