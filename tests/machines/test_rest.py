import numpy as np
import pytest

from isingeq.backend import SettleRequest, residual_of
from isingeq.backends.simulator import hopfield
from isingeq.couplings import Dense
from isingeq.errors import CapabilityError
from isingeq.machines.rest import iterate
from isingeq.problem import Problem
from isingeq.terms import Clamp, QuadraticNudge
from isingeq.units import Amplitude, Layer, Logistic, Spin

LINEAR = Amplitude(-np.inf, np.inf)


def net(*units, batch=5, seed=0):
    rng = np.random.default_rng(seed)
    sizes = (7, 5, 3)[: len(units)]
    layers = tuple(Layer(f"l{k}", s, u) for k, (s, u) in enumerate(zip(sizes, units, strict=True)))
    ends = np.cumsum([0, *sizes]).tolist()
    couplings = tuple(
        Dense(
            (ends[k], ends[k + 1]),
            (ends[k + 1], ends[k + 2]),
            0.15 * rng.standard_normal((sizes[k], sizes[k + 1])),
        )
        for k in range(len(sizes) - 1)
    )
    return Problem(layers, couplings, rng.standard_normal((batch, sum(sizes))))


@pytest.mark.parametrize("order", ["asynchronous", "synchronous"])
def test_logistic_units_come_to_rest_where_the_gradient_vanishes(order):
    problem = net(Logistic(2.0), Logistic(3.0), LINEAR)
    found = iterate(problem, (), np.full((5, 15), 0.5), order=order, steps=2000, tolerance=1e-13)
    assert np.abs(problem.gradient(found.states[:, None])).max() < 1e-11
    assert found.residual.max() <= 1e-13
    assert 1 < found.steps.max() < 2000


def test_boxes_rest_where_the_compiled_kernel_puts_them():
    problem = net(Amplitude(), Amplitude(-0.5, 2.0, 1.7), LINEAR)
    nudge = QuadraticNudge((12, 15), np.ones((5, 3)), np.linspace(-0.3, 0.4, 5))
    kernel = hopfield().settle(
        SettleRequest(problem, (nudge,), tolerance=1e-12, max_steps=5000, precision="float64")
    )
    plain = iterate(
        problem, (nudge,), np.zeros((5, 15)), order="asynchronous", steps=5000, tolerance=1e-13
    )
    np.testing.assert_allclose(plain.states, kernel.states[:, 0], atol=1e-10)


def test_clamped_units_stay_and_take_no_part_in_the_residual():
    problem = net(Logistic(), Logistic(), LINEAR)
    mask = np.arange(15) >= 12
    clamp = Clamp(mask, np.full((5, 15), 7.0))
    found = iterate(
        problem, (clamp,), np.full((5, 15), 0.5), order="asynchronous", steps=500, tolerance=1e-12
    )
    assert (found.states[:, mask] == 7.0).all()
    assert found.residual.max() <= 1e-12


def test_a_complex_nudge_moves_linear_units_as_the_linear_algebra_says():
    problem = net(LINEAR, LINEAR)
    strength = np.array([0.1j, -0.2j, 0.1 + 0.1j, 0.2, -0.1j])
    targets = np.ones((5, 5))
    found = iterate(
        problem, (QuadraticNudge((7, 12), targets, strength),), np.zeros((5, 12), complex),
        order="asynchronous", steps=5000, tolerance=1e-13,
    )  # fmt: skip
    coupling = problem.couplings[0].field(np.eye(12))
    for sample in range(5):
        spring = np.zeros(12, complex)
        spring[7:] = strength[sample]
        exact = np.linalg.solve(
            np.eye(12) + coupling + np.diag(spring), spring - problem.fields[sample]
        )
        np.testing.assert_allclose(found.states[sample], exact, atol=1e-10)


def test_the_backend_settles_logistic_units_for_every_read():
    problem = net(Logistic(), LINEAR)
    out = hopfield().settle(
        SettleRequest(problem, reads=3, tolerance=1e-10, max_steps=1000, precision="float64")
    )
    assert out.states.shape == (5, 3, 12)
    assert residual_of(out.request, out.states).max() < 1e-8


def test_what_has_no_rest_or_is_not_smooth_is_refused():
    spins = net(Spin(), LINEAR)
    with pytest.raises(CapabilityError, match="no rest state"):
        iterate(spins, (), np.ones((5, 12)), order="asynchronous", steps=5, tolerance=0.1)
    boxed = net(Amplitude(), LINEAR)
    nudge = QuadraticNudge((7, 12), np.ones((5, 5)), np.full(5, 0.1j))
    with pytest.raises(CapabilityError, match="smooth"):
        hopfield().settle(SettleRequest(boxed, (nudge,), precision="complex128"))
