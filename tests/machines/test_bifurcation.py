"""Simulated bifurcation where the answer is known in closed form."""

import numpy as np
import pytest

from isingeq.errors import ConfigError, DivergenceError
from isingeq.kernels.pool import Pool
from isingeq.machines.bifurcation import LONGEST, MARGIN, Bifurcation, stiffest
from isingeq.machines.graph import Graph
from isingeq.machines.spinning import Task
from isingeq.schedule import Drive

POOL = Pool(1)


def graph(J):
    i, j = np.nonzero(np.triu(J, 1))
    return Graph.of(len(J), i, j, J[i, j])


def run(machine, J, h, drive, *, reads=1, seed=5, trace=True):
    return machine.run(Task(graph(J), np.atleast_2d(h), reads, drive, seed, POOL, trace=trace))


ALONE = np.zeros((1, 1))


def oscillator(dt, time, pump, substeps=1):
    """One free oscillator that starts somewhere: |x| and y² after `time`."""
    steps = round(time / dt)
    machine = Bifurcation("adiabatic", substeps=substeps)
    out = run(machine, ALONE, 0.0, Drive(steps, dt, (pump, pump), (0.0, 0.0)))
    return out.trace.details["amplitude"][:, 0], 2 * out.trace.kinetic[:, 0]


@pytest.mark.parametrize("substeps", [1, 4])
def test_free_oscillation_converges_with_the_first_power_of_the_step(substeps):
    """Below the bifurcation, ω² = Δ − a: the phase-space ellipse x² + y²/ω² is left by O(dt)."""
    pump, amplitude = 0.36, []
    errors = []
    for dt in (0.2, 0.1, 0.05):
        x, y2 = oscillator(dt, 6.0, pump, substeps)
        energy = y2 + (1 - pump) * x**2
        errors.append((energy.max() - energy.min()) / energy.mean())
        amplitude.append(energy.mean())
    ratios = np.divide(errors[:-1], errors[1:])
    np.testing.assert_allclose(ratios, 2.0, rtol=0.1)
    np.testing.assert_allclose(amplitude[1:], amplitude[:-1], rtol=0.05)


def test_energy_of_the_oscillator_does_not_drift():
    """Symplectic: after 400 periods it is as far off as after 4, O(dt) at most."""
    x, y2 = oscillator(0.1, 2500.0, 0.36)
    energy = y2 + (1 - 0.36) * x**2
    early, late = energy[:250], energy[-250:]
    assert late.max() < 1.02 * early.max()
    assert late.min() > 0.98 * early.min()


@pytest.mark.parametrize("pump", [1.5, 3.0])
def test_beyond_the_bifurcation_it_swings_around_the_known_point(pump):
    """From the top of the double well it climbs to √(2 (a − Δ)), and is fastest at ±√(a − Δ)."""
    x, y2 = oscillator(0.005, 60.0, pump, substeps=1)
    assert x.max() == pytest.approx(np.sqrt(2 * (pump - 1)), rel=5e-3)
    assert x[y2.argmax()] == pytest.approx(np.sqrt(pump - 1), rel=2e-2)


@pytest.mark.parametrize("variant", ["adiabatic", "ballistic", "discrete"])
@pytest.mark.parametrize("keep", ["best", "final"])
def test_free_spins_end_against_their_fields(variant, keep):
    h = np.array([[1.0, -0.5, 0.25], [-2.0, 0.1, 3.0]])
    machine = Bifurcation(variant, keep=keep)
    out = run(machine, np.zeros((3, 3)), h, machine.suggest(graph(np.zeros((3, 3))), h), reads=4)
    np.testing.assert_array_equal(out.spins, -np.sign(h)[:, None].repeat(4, axis=1))


@pytest.mark.parametrize("variant", ["adiabatic", "ballistic", "discrete"])
@pytest.mark.parametrize("keep", ["best", "final"])
@pytest.mark.parametrize("strength", [1.0, -0.37])
def test_isolated_pairs_end_in_their_ground_state(variant, keep, strength):
    """Alike to the last bit, two oscillators of the discrete variant would flip in step for ever, one pair in two."""
    J = strength * np.kron(np.eye(16), np.eye(2)[::-1])
    machine = Bifurcation(variant, keep=keep)
    out = run(machine, J, np.zeros(32), machine.suggest(graph(J), np.zeros(32)), reads=32)
    first, second = out.spins[0, :, ::2], out.spins[0, :, 1::2]
    assert (first * second == -np.sign(strength)).mean() > 0.98
    assert abs(first.mean()) < 4 / np.sqrt(first.size)


def antiferromagnet(n):
    """All pairs repel: the uniform mode is the stiffest, λ = n − 1."""
    return 1.0 - np.eye(n)


@pytest.mark.parametrize("n", [3, 60])
def test_the_stability_bound_is_where_the_stiffest_mode_runs_away(n):
    """Linear motion, far from the walls: below the bound a start stays small, above it reaches them."""
    J, c0 = antiferromagnet(n), 0.3
    bound = 2 / np.sqrt(1 + c0 * (n - 1))
    machine = Bifurcation("ballistic", keep="final")
    below, above = (Drive(60, k * bound, (0.0, 0.0), (c0, c0)) for k in (0.98, 1.02))
    assert run(machine, J, np.zeros(n), below).trace.details["amplitude"].max() < 0.15
    with pytest.raises(ConfigError, match=f"beyond the stability bound {bound:.3g}"):
        run(machine, J, np.zeros(n), above)
    object.__setattr__(machine, "_stability_bound", lambda graph, drive: np.inf)
    assert run(machine, J, np.zeros(n), above).trace.details["amplitude"].max() > 0.5


def test_the_largest_eigenvalue_is_estimated_from_below():
    rng = np.random.default_rng(0)
    signs = (-1, 1)
    cases = ((2, 1, signs), (16, 1, signs), (17, 0.5, (-1, 2)), (300, 1, signs), (300, 0.02, (1,)))
    for n, density, values in cases:
        J = np.triu(np.where(rng.random((n, n)) < density, rng.choice(values, (n, n)), 0), 1) * 1.0
        J += J.T
        exact = np.linalg.eigvalsh(J)[-1]
        assert 0.96 * exact <= stiffest(graph(J)) <= exact * (1 + 1e-6)
    assert stiffest(graph(np.zeros((40, 40)))) == 0
    assert stiffest(graph(antiferromagnet(500))) == pytest.approx(499)


def test_suggested_drive_follows_scale_and_fields():
    rng = np.random.default_rng(1)
    J = np.triu(rng.normal(size=(50, 50)), 1)
    J += J.T
    h = rng.normal(size=(3, 50))
    machine = Bifurcation(sweeps=77)
    drive, tenfold = machine.suggest(graph(J), h), machine.suggest(graph(10 * J), 10 * h)
    assert drive.sweeps == 77
    assert drive.pump == (0.0, 1.0)
    spread = np.sqrt((J**2).sum() / 50 + (h**2).mean())
    assert drive.feedback == pytest.approx((0.55 / spread,) * 2, rel=1e-5)
    assert tenfold.feedback[0] == pytest.approx(drive.feedback[0] / 10, rel=1e-5)
    assert tenfold.dt == pytest.approx(drive.dt, rel=1e-5)
    bound = 2 / np.sqrt(1 + drive.feedback[0] * stiffest(graph(J)))
    assert drive.dt == pytest.approx(min(LONGEST["discrete"], MARGIN * bound), rel=1e-5)
    assert Bifurcation(dt=0.3).suggest(graph(J), h).dt == 0.3


def test_results_do_not_depend_on_the_scale_of_the_problem():
    """Times 4 is exact in binary: the same spins."""
    rng = np.random.default_rng(2)
    J = np.triu(rng.normal(size=(40, 40)), 1)
    J += J.T
    for variant in ("ballistic", "discrete"):
        machine = Bifurcation(variant, sweeps=100)
        spins = [
            run(
                machine, k * J, np.zeros(40), machine.suggest(graph(k * J), np.zeros((1, 40)))
            ).spins
            for k in (1, 4)
        ]
        np.testing.assert_array_equal(*spins)


@pytest.mark.parametrize("variant", ["adiabatic", "ballistic", "discrete"])
def test_keeping_the_best_is_never_worse(variant):
    rng = np.random.default_rng(3)
    J = np.triu(rng.choice([-1.0, 1.0], (90, 90)), 1)
    J += J.T
    h = np.zeros((1, 90))
    energies = []
    for keep in ("best", "final"):
        machine = Bifurcation(variant, sweeps=40, keep=keep)
        s = run(machine, J, h, machine.suggest(graph(J), h), reads=40).spins[0].astype(float)
        energies.append(0.5 * np.einsum("ri,ij,rj->r", s, J, s))
    assert (energies[0] <= energies[1]).all()
    assert (energies[0] < energies[1]).any()


def test_heat_adds_energy_at_the_rate_of_the_kinetic_one():
    """dE/dt = γ y², half of it on average: e^{γ t} over whole periods of 2π."""
    steps, rate = 500, 0.1
    drive = Drive(steps, 8 * np.pi / steps, (0.0, 0.0), (0.0, 0.0))
    energy = []
    for heat in (0.0, rate):
        trace = run(Bifurcation("ballistic", heat=heat), ALONE, 0.0, drive).trace
        energy.append(trace.kinetic[-1, 0] + 0.5 * trace.details["amplitude"][-1, 0] ** 2)
    assert energy[1] / energy[0] == pytest.approx(np.exp(rate * 8 * np.pi), rel=0.1)


def test_a_runaway_is_reported():
    drive = Drive(400, 1.9, (0.0, 0.0), (1.0, 1.0))
    with pytest.raises(DivergenceError, match="lower dt"):
        run(Bifurcation("adiabatic", substeps=1), ALONE, 5.0, drive)


@pytest.mark.parametrize(
    "options",
    [
        {"variant": "quantum"},
        {"keep": "all"},
        {"sweeps": 0},
        {"dt": -1.0},
        {"dt": np.nan},
        {"heat": -0.1},
        {"substeps": 0},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ConfigError, match="bifurcation"):
        Bifurcation(**options)
