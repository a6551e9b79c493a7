"""Searches: each follows the equations that it states, in the precision asked for."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from isingeq.couplings import Dense
from isingeq.errors import ConfigError
from isingeq.machines.amplitude_error import AmplitudeError
from isingeq.machines.landscape import Landscape
from isingeq.machines.partner import Partner
from isingeq.machines.state_adam import StateAdam
from isingeq.problem import Problem
from isingeq.units import Amplitude, Layer

INF = np.inf
SEARCHES = (Partner(momentum=0.3), AmplitudeError(spread=0.2), StateAdam())


def problem(boxes=((-INF, INF), (-INF, INF)), strength=0.3, batch=3):
    rng = np.random.default_rng(2)
    units = (Amplitude(*boxes[0], 1.4), Amplitude(*boxes[1], 0.8))
    layers = tuple(Layer(f"l{k}", n, u) for k, (n, u) in enumerate(zip((4, 3), units, strict=True)))
    J = strength * rng.normal(size=(4, 3))
    return Problem(layers, (Dense((0, 4), (4, 7), J),), rng.normal(size=(batch, 7)) * 0.5)


def matrix(asked):
    """∂²E/∂x² and stiffness, written out."""
    stiffness = np.repeat([1.4, 0.8], [4, 3])
    out = np.diag(stiffness)
    out[:4, 4:], out[4:, :4] = asked.couplings[0].J, asked.couplings[0].J.T
    return out, stiffness


def last(search, asked, start, steps, seed=0, precision="float64"):
    walk = search.walk(Landscape(asked, precision), start[:, None], steps=steps, seed=seed)
    return list(walk)[-1][:, 0]


def orders(error, steps):
    errors = [error(dt) for dt in steps]
    return np.log2(np.array(errors[:-1]) / errors[1:])


def integrate(rate, parts, time):
    """Integrate dz/dt = rate(t, *parts) from parts (b, n) each, the first returned at the end."""
    shape = (len(parts), *parts[0].shape)

    def flat(t, z):
        return np.stack(rate(t, *z.reshape(shape))).ravel()

    solved = solve_ivp(flat, (0, time), np.stack(parts).ravel(), rtol=1e-10, atol=1e-12)
    return solved.y[:, -1].reshape(shape)[0]


@pytest.mark.parametrize("decay", [0.4, 1.7])
def test_the_partner_converges_to_its_equations_in_first_order(decay):
    asked, time, zeta = problem(), 2.4, 1.3
    curvature, stiffness = matrix(asked)
    start = np.random.default_rng(4).normal(size=(3, 7))

    def rate(t, x, v):
        pulled = -(x @ curvature + asked.fields) / stiffness
        z = zeta * (1 - t / time)
        return pulled + z * v, -z * x - decay * v

    exact = integrate(rate, (start, np.zeros_like(start)), time)

    def error(dt):
        found = last(Partner(zeta, decay, dt), asked, start, round(time / dt))
        return np.abs(found - exact).max()

    np.testing.assert_allclose(orders(error, [0.1, 0.05, 0.025, 0.0125]), 1, atol=0.12)


def test_amplitude_and_error_converge_to_their_equations_in_first_order():
    """Boxes wide enough not to be reached, neither of them centred at 0, and a layer that has none."""
    asked, time = problem(((-3.0, 4.0), (-INF, INF))), 2.0
    curvature, stiffness = matrix(asked)
    start = np.random.default_rng(4).normal(size=(3, 7)) + 0.5
    boxed = np.repeat([True, False], [4, 3])
    centre, width = np.where(boxed, 0.5, 0), np.where(boxed, 3.5, 1)

    def rate(t, x, e):
        pulled, place = -(x @ curvature + asked.fields) / stiffness, (x - centre) / width
        gained = width * ((0.7 - 1) * place - place**3) + 0.6 * e * pulled
        return np.where(boxed, gained, pulled), -0.9 * (place**2 - 0.4) * e

    exact = integrate(rate, (start, np.ones_like(start)), time)

    def error(dt):
        found = last(AmplitudeError(0.7, 0.6, 0.9, 0.4, dt), asked, start, round(time / dt))
        return np.abs(found - exact).max()

    np.testing.assert_allclose(orders(error, [0.1, 0.05, 0.025, 0.0125]), 1, atol=0.12)


def test_error_variables_end_somewhere():
    """A unit held at the middle of its box by nothing has an error variable that grows, and would for ever."""
    asked = problem(((-1.0, 1.0), (-1.0, 1.0)))
    search = AmplitudeError(rate=50.0, target=1.0, dt=0.1, feedback=1e-9)
    found = last(search, asked, np.full((3, 7), 0.01), 3)
    # uncapped, three steps would weigh the force by e^5 and e^10: 2e-6 of displacement
    np.testing.assert_allclose(found, 0.01 * (1 + 0.1 * (0.5 - 1 - 1e-4)) ** 3, atol=1e-7)


def test_adam_is_the_one_of_the_paper():
    asked = problem(((0.0, 1.0), (-INF, INF)))
    curvature, stiffness = matrix(asked)
    x, steps = np.random.default_rng(1).uniform(0, 1, (3, 7)), 12
    start, m, v = x.copy(), 0.0, 0.0
    for t in range(1, steps + 1):
        g = (x @ curvature + asked.fields) / stiffness
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g**2
        lr = 0.3 * (1 - (t - 1) / steps)
        x = x - lr * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.95**t)) + 1e-8)
        x[:, :4] = np.clip(x[:, :4], 0, 1)
    np.testing.assert_allclose(last(StateAdam(0.3, 0.8, 0.95), asked, start, steps), x, atol=1e-12)


def test_adams_first_step_is_as_long_for_every_unit():
    asked, start = problem(), np.zeros((3, 7))
    np.testing.assert_allclose(
        last(StateAdam(0.07), asked, start, 1), -0.07 * np.sign(asked.fields), atol=1e-7
    )


def test_a_constant_partner_rests_where_a_stiffness_is_added():
    """0 = −∂E/∂x − (ζ² / r) x: what the docstring says, and why ζ has to fall."""
    asked, zeta, decay, dt = problem(), 0.9, 0.6, 0.02
    curvature, stiffness = matrix(asked)
    search, x = Partner(zeta, decay, dt), np.zeros((3, 7))
    # the first 4000 of very many steps are all taken at nearly the full strength
    walk = search.walk(Landscape(asked), x[:, None], steps=10**9, seed=0)
    for _ in range(4000):
        x = next(walk)[:, 0]
    added = np.diag(stiffness) * zeta**2 / decay
    np.testing.assert_allclose(x, -np.linalg.solve(curvature + added, asked.fields.T).T, atol=0.01)
    plain = -np.linalg.solve(curvature, asked.fields.T).T
    assert np.abs(x - plain).max() > 0.2


@pytest.mark.parametrize("search", SEARCHES, ids=lambda s: type(s).__name__)
class TestEverySearch:
    def test_keeps_to_the_walls_and_to_the_precision(self, search):
        asked = problem(((0.0, 1.0), (-0.5, 0.3)), strength=3.0)
        low, high = asked.bounds
        start = np.clip(np.random.default_rng(0).normal(size=(3, 1, 7)), low, high)
        held = Problem(
            asked.layers,
            (Dense((0, 4), (4, 7), asked.couplings[0].J.astype(np.float32)),),
            asked.fields.astype(np.float32),
        )
        walks = [
            list(search.walk(Landscape(p, kind), start.astype(kind), steps=9, seed=1))
            for p, kind in ((asked, "float64"), (held, "float32"))
        ]
        assert [len(walk) for walk in walks] == [9, 9]
        assert {states.dtype.name for states in walks[1]} == {"float32"}
        for states in walks[0]:
            assert ((low <= states) & (states <= high)).all()
        np.testing.assert_allclose(walks[0][3], walks[1][3], atol=1e-4)
        assert np.abs(walks[0][-1] - start).max() > 0.1

    def test_leaves_its_start_as_it_was(self, search):
        asked, start = problem(), np.full((3, 1, 7), 0.25)
        list(search.walk(Landscape(asked), start, steps=4, seed=1))
        assert (start == 0.25).all()


@pytest.mark.parametrize(("search", "chance"), [(Partner, "momentum"), (AmplitudeError, "spread")])
def test_chance_is_of_the_seed_and_of_the_size_stated(search, chance):
    asked = problem(((-50.0, 50.0), (-50.0, 50.0)), batch=900)
    asked = asked.with_fields(np.zeros_like(asked.fields))
    start, dt = np.zeros((900, 7)), 1e-3
    plain, noisy, again, other = (
        last(search(dt=dt, **options), asked, start, 1, seed)
        for options, seed in (({}, 3), ({chance: 0.4}, 3), ({chance: 0.4}, 3), ({chance: 0.4}, 4))
    )
    np.testing.assert_array_equal(plain, 0)
    np.testing.assert_array_equal(noisy, again)
    assert not np.array_equal(noisy, other)
    size = 0.4 * (dt * 1.5 * (1 - dt) if search is Partner else 50)
    assert abs(noisy.std() / size - 1) < 5 / np.sqrt(2 * noisy.size) + 2 * dt


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Partner(strength=-1.0),
        lambda: Partner(decay=0.0),
        lambda: Partner(dt=2.0),
        lambda: Partner(strength=5.0, dt=0.5),
        lambda: Partner(momentum=np.nan),
        lambda: AmplitudeError(feedback=0.0),
        lambda: AmplitudeError(rate=-0.1),
        lambda: AmplitudeError(target=0.0),
        lambda: AmplitudeError(dt=0.0),
        lambda: AmplitudeError(pump=INF),
        lambda: AmplitudeError(spread=-1.0),
        lambda: StateAdam(lr=0.0),
        lambda: StateAdam(first=1.0),
        lambda: StateAdam(second=-0.1),
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ConfigError, match="must"):
        wrong()
