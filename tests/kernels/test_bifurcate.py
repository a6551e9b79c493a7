"""The kernels of simulated bifurcation against the equations written out, through the machine that drives them."""

import numpy as np
import pytest
from bifurcation_twin import energy, move, pace, sign, start

from isingeq.kernels.bifurcate import DETUNING, SPREAD
from isingeq.kernels.pool import Pool
from isingeq.machines.bifurcation import Bifurcation
from isingeq.machines.graph import Graph
from isingeq.machines.spinning import Task
from isingeq.schedule import Drive

VARIANTS = ("adiabatic", "ballistic", "discrete")
POOL = Pool(1)


def dense(n, values, seed=0, density=1.0):
    rng = np.random.default_rng(seed)
    J = np.triu(np.where(rng.random((n, n)) < density, rng.choice(values, (n, n)), 0.0), 1)
    return J + J.T


def graph_of(J):
    i, j = np.nonzero(np.triu(J, 1))
    return Graph.of(len(J), i, j, J[i, j])


def task(J, h, drive, *, reads=1, seed=5, pool=POOL, trace=True):
    return Task(graph_of(J), np.atleast_2d(h), reads, drive, seed, pool, trace=trace)


CASES = {
    "bits": (dense(420, (-1.0, 1.0)), "bits", "matrix"),
    "int8 rows": (dense(200, (-40.0, 1.0)), "int8 rows", "matrix"),
    "float32 rows": (dense(40, (-0.3, 0.71)), "float32 rows", "matrix"),
    "entries": (dense(131, (-1.3, 0.4), density=0.05), "entries", "entries"),
}


@pytest.mark.parametrize("heat", [0.0, 0.3])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_step_is_the_one_of_the_equations(variant, case, heat):
    """Until rounding grows: the motion is chaotic, and signs of small positions decide."""
    J, discrete, continuous = CASES[case]
    n = len(J)
    h = np.random.default_rng(9).normal(0, 2.0, (2, n)) * np.abs(J).max()
    c0 = 0.4 / np.sqrt((J**2).sum() / n)
    drive = Drive(25, 0.4, (0.3, 1.2), (0.5 * c0, c0))
    machine = Bifurcation(variant, heat=heat, substeps=3)
    out = machine.run(task(J, h, drive, reads=2))
    assert out.details["representation"] == (discrete if variant == "discrete" else continuous)
    for sample in range(2):
        rows, last = [], []
        for read in range(2):
            x, y = start(5, sample, read, n)
            own = pace(5, sample, read, n)
            states = list(move(variant, J, h[sample], drive, x, y, pace=own, heat=heat, substeps=3))
            energies = [energy(J, h[sample], x) for x, _ in states]
            best = np.minimum.accumulate(
                [energy(J, h[sample], x), *energies] if variant == "discrete" else energies
            )
            best = best[1:] if variant == "discrete" else best
            rows.append([
                (e, b, 0.5 * y @ y, np.abs(x).mean())
                for e, b, (x, y) in zip(energies, best, states, strict=True)
            ])  # fmt: skip
            last.append(states)
        wanted = np.mean(rows, axis=0).T
        trace = out.trace
        found = (
            trace.energy,
            trace.details["best_energy"],
            trace.kinetic,
            trace.details["amplitude"],
        )
        for name, series, right in zip(("E", "best", "kinetic", "|x|"), found, wanted, strict=True):
            scale = np.abs(right).max()
            np.testing.assert_allclose(series[:, sample], right, atol=2e-4 * scale, err_msg=name)
        for read in range(2):
            lowest = min(last[read], key=lambda state: energy(J, h[sample], state[0]))
            found_energy = energy(J, h[sample], out.spins[sample, read])
            assert found_energy <= energy(J, h[sample], lowest[0]) + 1e-4 * np.abs(found_energy)
            ends = machine_final(variant, heat).run(task(J, h, drive, reads=2)).spins
            np.testing.assert_array_equal(ends[sample, read], sign(last[read][-1][0]))


def machine_final(variant, heat):
    return Bifurcation(variant, heat=heat, substeps=3, keep="final")


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("case", ["bits", "float32 rows", "entries"])
def test_a_read_is_the_same_whatever_runs_beside_it(variant, case):
    """Any thread count, any number of reads and samples: bit for bit, over many chaotic steps."""
    J = CASES[case][0]
    h = np.random.default_rng(3).normal(0, 0.01, (3, len(J)))
    machine = Bifurcation(variant, sweeps=200)
    drive = machine.suggest(graph_of(J), h)
    whole = machine.run(task(J, h, drive, reads=13, trace=False)).spins
    threads = Pool(3)
    try:
        both = machine.run(task(J, h, drive, reads=13, pool=threads, trace=False)).spins
    finally:
        threads.close()
    np.testing.assert_array_equal(both, whole)
    part = machine.run(task(J, h[:2], drive, reads=13, trace=False)).spins
    np.testing.assert_array_equal(part, whole[:2])
    alone = machine.run(task(J, h[:1], drive, trace=False)).spins
    np.testing.assert_array_equal(alone, whole[:1, :1])
    other = machine.run(task(J, h, drive, reads=13, seed=6, trace=False)).spins
    assert not np.array_equal(other, whole)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_trace_changes_nothing(variant):
    J = CASES["bits"][0]
    machine = Bifurcation(variant, sweeps=120, keep="final")
    drive = machine.suggest(graph_of(J), np.zeros((1, 420)))
    runs = [machine.run(task(J, np.zeros(420), drive, reads=3, trace=t)) for t in (True, False)]
    np.testing.assert_array_equal(runs[0].spins, runs[1].spins)
    assert runs[1].trace is None
    last = [energy(J, np.zeros(420), s) for s in runs[0].spins[0]]
    np.testing.assert_allclose(runs[0].trace.energy[-1, 0], np.mean(last), rtol=1e-5)


def test_starts_are_uniform_and_independent():
    x, y = np.concatenate([start(1, s, r, 2000).T for s in range(3) for r in range(3)]).T
    m = x.size
    for values in (x, y):
        assert np.abs(values).max() <= SPREAD
        assert abs(values.mean()) < 5 * SPREAD / np.sqrt(3 * m)
        assert abs((values**2).mean() - SPREAD**2 / 3) < 5 * SPREAD**2 * np.sqrt(4 / 45 / m)
    pairs = [(x, y), (x[1:], x[:-1]), (x[:2000], x[2000:4000]), (x[:2000], x[6000:8000])]
    for a, b in pairs:
        assert abs((a * b).mean()) < 5 * SPREAD**2 / 3 / np.sqrt(a.size)


def test_paces_are_uniform_just_below_one_and_independent():
    paces = np.array([pace(1, s, r, 2000) for s in range(2) for r in range(2)])
    u = (1 - paces) / DETUNING
    assert u.min() > -1e-5
    assert u.max() < 1 + 1e-5
    assert abs(u.mean() - 0.5) < 5 / np.sqrt(12 * u.size)
    assert abs(((u - 0.5) ** 2).mean() - 1 / 12) < 5 / np.sqrt(180 * u.size)
    x, y = start(1, 0, 0, 2000) / SPREAD
    for a, b in [(u[0], u[1]), (u[0], u[2]), (u[0, 1:], u[0, :-1]), (u[0], x), (u[0], y)]:
        assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(a.size)
