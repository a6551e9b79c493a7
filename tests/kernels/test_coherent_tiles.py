"""Tiles of a coherent Ising machine against a plain twin in double precision."""

import numpy as np
import pytest

from isingeq.kernels.coherent import Course, Found, Tile, drive
from isingeq.kernels.gaussian import normal_rows, stream
from isingeq.kernels.lanes import LANES
from isingeq.kernels.replicas import MIDDLE, NARROW, WIDE, Bonds

N, SWEEPS = 20, 30


def couplings(density, seed=0):
    rng = np.random.default_rng(seed)
    J = np.triu(rng.normal(size=(N, N)) * (rng.random((N, N)) < density), 1)
    return J + J.T


def bonds_of(J, dtype, whole):
    if whole:
        return Bonds(np.arange(N + 1) * N, np.zeros(0, np.int32), J.ravel().astype(dtype))
    rows, columns = np.nonzero(J)
    starts = np.searchsorted(rows, np.arange(N + 1)).astype(np.int64)
    return Bonds(starts, columns.astype(np.int32), J[rows, columns].astype(dtype))


def course(*, blur=0.0, follow=0.0, wall=1.5, rate=0.05, look=4):
    pump = np.linspace(-1, 0.7, SWEEPS)
    return Course(
        gain=0.1 * (pump - 1), feed=0.1 * np.linspace(0.2, 0.4, SWEEPS), target=np.linspace(1, 1.5, SWEEPS),
        follow=np.linspace(1, 2, SWEEPS) * follow, dt=0.1, rate=rate, ceiling=3.0, wall=wall, blur=blur,
        kick=0.3 * blur, tap=0.4 if blur else 0.0, look=look,
    )  # fmt: skip


def run(J, h, c, *, vectors=NARROW, dtype=np.float64, whole=False, traced=True, sweeps=SWEEPS):
    """Run one tile from a start that differs from lane to lane."""
    width = vectors * LANES
    keys = np.array([int(stream(1, 0, lane)) for lane in range(width)], np.uint64)
    x, measured = np.empty(N * width, dtype), c.blur > 0
    normal_rows(keys, 0, 0.3, x)
    none = np.zeros(0, dtype)
    seen = x.copy()
    if measured:
        normal_rows(keys, 1, c.blur, seen)
        seen += x
    fields = np.zeros(width, dtype)
    if h is not None:
        fields = np.ascontiguousarray(np.repeat(h[:, None], width, axis=1).ravel(), dtype)
    tile = Tile(
        x if measured else none, np.full(N * width if measured else 0, 0.5, dtype),
        np.ones(N * width, dtype), fields, keys,
    )  # fmt: skip
    found = Found(
        np.full(width, np.inf), np.zeros(N * width, np.int8),
        np.zeros((5, sweeps if traced else 0, width)),
    )  # fmt: skip
    final = drive(seen, np.empty_like(seen), tile, bonds_of(J, dtype, whole), c, found)
    return final.reshape(N, width), tile, found


def twin(J, h, c, width):
    """The same by the equations, all lanes of a row at a time."""
    keys = np.array([int(stream(1, 0, lane)) for lane in range(width)], np.uint64)

    def noise(step):
        out = np.empty(N * width)
        normal_rows(keys, step, 1.0, out)
        return out.reshape(N, width)

    x, e, V = 0.3 * noise(0), np.ones((N, width)), np.full((N, width), 0.5)
    h = np.zeros(N) if h is None else h
    xi = noise(1)
    best, kept, trace, t = np.full(width, np.inf), np.zeros((N, width)), [], 0
    while True:
        seen = x + c.blur * xi
        s = np.copysign(1.0, seen)
        present = 0.5 * (s * (J @ s)).sum(axis=0) + h @ s
        if t % c.look == 0 or t == SWEEPS:
            energy = present
            kept = np.where(present < best, s, kept)
            best = np.minimum(best, present)
        if t:
            trace.append((present, best, np.abs(x).mean(axis=0), np.abs(x).std(axis=0), e.mean(axis=0)))  # fmt: skip
        if t == SWEEPS:
            return seen, e, V, best, kept, np.array(trace).transpose(1, 0, 2)
        a = c.target[t] + np.maximum(-c.follow[t] * energy, 0)
        force = J @ seen + np.sqrt(a) * h[:, None]
        dt, gain = c.dt, c.gain[t]
        moved = x + gain * x - dt * x**3 - c.feed[t] * e * force
        if c.blur:
            moved = moved + c.kick * (V - 0.5) * xi
            V = (V - 2 * dt * c.tap * (V - 0.5) ** 2 + dt + dt * c.tap + 2 * dt * x**2) / (
                1 - 2 * (gain - 3 * dt * x**2)
            )
            xi = noise(t + 2)
        wall = c.wall * np.sqrt(a)
        x = np.clip(moved, -wall, wall)
        e = np.clip(e + c.rate * (a - seen**2) * e, 1e-3, c.ceiling)
        t += 1


CASES = {
    "chaotic": course(),
    "followed": course(follow=0.01, wall=np.inf),
    "mean field": course(rate=0.0, wall=np.inf),
    "strong control": course(rate=0.9, look=7),
    "measured": course(blur=0.2),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("whole", [False, True], ids=["entries", "matrix"])
@pytest.mark.parametrize("fields", [False, True], ids=["no fields", "fields"])
def test_it_follows_the_equations(case, whole, fields):
    J = couplings(0.4)
    h = np.random.default_rng(1).normal(size=N) if fields else None
    final, tile, found = run(J, h, CASES[case], whole=whole)
    seen, e, V, best, kept, trace = twin(J, h, CASES[case], LANES)
    assert np.abs(final - seen).max() < 1e-9
    assert np.abs(tile.error.reshape(e.shape) - e).max() < 1e-9
    if case == "measured":
        assert np.abs(tile.variance.reshape(V.shape) - V).max() < 1e-9
        assert np.ptp(V) > 0.1
    assert np.abs(found.energy - best).max() < 1e-9
    assert np.array_equal(found.spins.reshape(kept.shape), kept)
    assert np.abs(found.trace - trace).max() < 1e-9


@pytest.mark.parametrize("case", ["chaotic", "measured"])
def test_single_precision_stays_near_for_a_while(case):
    J, h = couplings(0.4), np.random.default_rng(1).normal(size=N)
    exact = run(J, h, CASES[case])[0]
    rough, _, found = run(J, h, CASES[case], dtype=np.float32, traced=False)
    assert 0 < np.abs(rough - exact).max() < 1e-3
    signs = found.spins.reshape(N, LANES).astype(float)
    energy = 0.5 * (signs * (J @ signs)).sum(axis=0) + h @ signs
    assert np.abs(found.energy - energy).max() < 1e-4


@pytest.mark.parametrize("case", ["followed", "measured"])
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("vectors", [MIDDLE, WIDE])
def test_the_width_of_a_tile_does_not_matter(case, whole, vectors):
    J, h = couplings(0.4), np.random.default_rng(1).normal(size=N)
    narrow = run(J, h, CASES[case], dtype=np.float32, whole=whole)
    wide = run(J, h, CASES[case], dtype=np.float32, whole=whole, vectors=vectors)
    assert np.array_equal(narrow[0], wide[0][:, :LANES])
    spins = (found.spins.reshape(N, -1)[:, :LANES] for _, _, found in (narrow, wide))
    assert np.array_equal(*spins)


def test_a_trace_changes_nothing():
    J = couplings(0.4)
    traced, plain = (run(J, None, CASES["followed"], traced=flag)[0] for flag in (True, False))
    assert np.array_equal(traced, plain)
