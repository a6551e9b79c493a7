"""Convolutions in the relaxing simulators, against their equations in plain numpy on the problem itself."""

from dataclasses import replace

import numpy as np
import pytest

from isingeq.backend import SettleRequest, residual_of
from isingeq.backends import settling
from isingeq.backends.simulator import conjugate, hopfield
from isingeq.couplings import Convolution, Dense, Edges, Window
from isingeq.errors import CapabilityError
from isingeq.kernels.relax import relax_tiles
from isingeq.problem import Problem
from isingeq.registry import open_backend
from isingeq.terms import Clamp, QuadraticNudge
from isingeq.units import Amplitude, Layer, Spin

INF = np.inf
BATCH = 19

WINDOWS = {
    "max": (Window((6, 6, 2), 3, 3, padding=1, pool=2), Window((3, 3, 3), 4, 2)),
    "soft": (
        Window((6, 6, 2), 3, 3, padding=1, pool=2, pooling="soft", sharpness=3.0),
        Window((3, 3, 3), 4, 2, pool=2, pooling="max"),
    ),
    "average": (
        Window((6, 6, 2), 3, 3, padding=1, pool=2, pooling="average"),
        Window((3, 3, 3), 4, 2, pool=2, pooling="max"),
    ),
    "strides": (
        Window((6, 6, 2), 5, 2, stride=2, pool=3),
        Window((1, 1, 5), 2, 1, pooling="average"),
    ),
}


def network(name="max", seed=0, strength=0.5, batch=BATCH, low=-0.5):
    """Images, images, images and a dense layer that also sees the first: no layer is last in every order.

    A pool that is pushed down (`low` < 0) rests where two of its sums are equal, and there nothing comes to rest.
    """
    rng = np.random.default_rng(seed)
    windows = WINDOWS[name]
    sizes = [int(np.prod(s)) for s in (windows[0].source, windows[0].target, windows[1].target)] + [
        4
    ]
    boxes = (
        Amplitude(0, 1, 1.4), Amplitude(low, 1.5, 0.9), Amplitude(0, 1, 1.1), Amplitude(-INF, INF, 1.3),
    )  # fmt: skip
    layers = tuple(Layer(n, s, u) for n, s, u in zip("abcd", sizes, boxes, strict=True))
    ends = np.cumsum([0, *sizes])
    a, b, c, d = zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)

    def draw(shape, reach):
        return rng.normal(size=shape) * strength / np.sqrt(reach)

    couplings = (
        Convolution(a, b, windows[0], draw(windows[0].shape, sum(windows[0].reach))),
        Dense(c, d, draw((sizes[2], 4), sizes[2] + 4)),
        Convolution(b, c, windows[1], draw(windows[1].shape, sum(windows[1].reach))),
        Dense(a, d, draw((sizes[0], 4), sizes[0] + 4)),
    )
    return Problem(layers, couplings, 0.7 * rng.normal(size=(batch, int(ends[-1]))))


def nudge(problem, strength=0.3):
    signs = np.where(np.arange(problem.batch) % 2, -1.0, 1.0)
    targets = np.random.default_rng(5).normal(size=(problem.batch, 4))
    return QuadraticNudge(problem.spans[-1], targets, strength * signs)


def clamp(problem, layer):
    mask = np.zeros(problem.n, bool)
    mask[slice(*problem.spans[layer])] = True
    low, high = (np.clip(bound, -1, 1) for bound in problem.bounds)
    return Clamp(mask, np.random.default_rng(6).uniform(low, high, (problem.batch, problem.n)))


def settled(backend, asked):
    try:
        return backend.settle(asked)
    finally:
        backend.close()


def replay(asked, groups, *, keep, dt, ramp=None):
    """Take all steps: groups of layers one after the other, each on the newest states of the others."""
    problem = asked.problem
    low, high = problem.bounds
    stiffness = np.concatenate([np.full(k.size, k.unit.stiffness) for k in problem.layers])
    x = asked.initial[:, 0].copy()
    held = np.zeros(problem.n, bool)
    push = np.broadcast_to(1.0, x.shape).copy()
    for term in asked.terms:
        if isinstance(term, Clamp):
            held |= term.mask
            x[:, term.mask] = term.values[:, term.mask]
        else:
            part = slice(*term.units)
            push[:, part] = (1 / (1 + np.maximum(term.strength / stiffness[part][0], 0)))[:, None]
    y = np.zeros_like(x)
    for t in range(asked.max_steps):
        for group in groups:
            units = np.zeros(problem.n, bool)
            for layer in group:
                units[slice(*problem.spans[layer])] = True
            units &= ~held
            force = -problem.gradient(x[:, None])[:, 0]
            for term in asked.terms:
                force -= term.gradient(x[:, None])[:, 0]
            if ramp is not None:
                force -= ramp[t] * x
            following = keep * y + dt * push * force / stiffness
            aim = x + dt * following
            walled = np.clip(aim, low, high)
            x[:, units] = walled[:, units]
            y[:, units] = np.where(aim == walled, following, 0)[:, units]
    return x


TOGETHER = ((0, 1, 2, 3),)
IN_TURN = ((0,), (2,), (1,), (3,))
"""Colours: a and c share none, d sees a and c."""
SCHEMES = {
    "synchronous": (lambda: conjugate(damping="0.7", dt=0.8), TOGETHER, {"keep": np.exp(-0.56), "dt": 0.8}),
    "asynchronous": (
        lambda: conjugate(damping="1.5", dt=0.9, order="asynchronous"), IN_TURN, {"keep": np.exp(-1.35), "dt": 0.9},
    ),
    "ramp": (
        lambda: conjugate(damping="0.5", dt=0.7, ramp=1.0, ramp_share=1.0), TOGETHER,
        {"keep": np.exp(-0.35), "dt": 0.7, "ramp": 1 - np.arange(6) / 6},
    ),
}  # fmt: skip
SCHEME = pytest.mark.parametrize("scheme", SCHEMES)
WINDOW = pytest.mark.parametrize("window", WINDOWS)


def start(problem, seed=3):
    low, high = (np.clip(bound, -1, 1) for bound in problem.bounds)
    return np.random.default_rng(seed).uniform(low, high, (problem.batch, problem.n))[:, None]


@SCHEME
@WINDOW
def test_steps_are_those_of_the_equations(window, scheme):
    make, groups, how = SCHEMES[scheme]
    problem = network(window)
    asked = SettleRequest(
        problem, initial=start(problem), precision="float64", tolerance=0.0, max_steps=6
    )
    expected = replay(asked, groups, **how)
    found = settled(make(), asked)
    np.testing.assert_allclose(found.states[:, 0], expected, atol=1e-10)
    np.testing.assert_allclose(found.residual, residual_of(asked, found.states), atol=1e-10)
    single = settled(make(), replace(asked, precision="float32"))
    np.testing.assert_allclose(single.states[:, 0], expected, atol=2e-4)


@pytest.mark.parametrize("held", [(), (0,), (1,), (2,), (0, 2)])
@pytest.mark.parametrize("scheme", ["synchronous", "asynchronous"])
def test_terms_act_as_the_equations_say(scheme, held):
    make, groups, how = SCHEMES[scheme]
    problem = network()
    terms = (nudge(problem), *(clamp(problem, layer) for layer in held))
    asked = SettleRequest(
        problem, terms, initial=start(problem), precision="float64", tolerance=0.0, max_steps=5
    )
    found = settled(make(), asked)
    expected = replay(asked, groups, **how)
    free = np.ones(problem.n, bool)
    for layer in held:
        free[slice(*problem.spans[layer])] = False
    np.testing.assert_allclose(found.states[:, 0, free], expected[:, free], atol=1e-10)
    if not held:
        np.testing.assert_allclose(found.residual, residual_of(asked, found.states), atol=1e-10)


@pytest.mark.parametrize("precision", ["float32", pytest.param("float64", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "make",
    [hopfield, lambda: hopfield(update="gradient"), conjugate, lambda: conjugate(order="synchronous")],
    ids=["asynchronous", "gradient", "conjugate", "conjugate synchronous"],
)  # fmt: skip
@WINDOW
def test_every_machine_comes_to_rest_and_says_so_exactly(window, make, precision):
    problem = network(window, strength=0.35, low=0.0)
    asked = SettleRequest(
        problem, (nudge(problem),), precision=precision, tolerance=1e-4, max_steps=600
    )
    found = settled(make(), asked)
    true = residual_of(asked, found.states.astype(float))
    np.testing.assert_allclose(found.residual, true, atol=1e-12 if precision == "float64" else 1e-5)
    assert found.settled.all()
    assert np.unique(found.steps).size > 1
    again = settled(make(), replace(asked, initial=found.states))
    assert again.steps.max() <= 1


def test_neither_threads_nor_the_rest_of_the_batch_change_a_sample():
    problem = network(batch=83)
    asked = SettleRequest(problem, tolerance=1e-3, max_steps=300)
    one, two = settled(hopfield(), asked), settled(hopfield(threads=2), asked)
    alone = settled(hopfield(), replace(asked, problem=problem.with_fields(problem.fields[40:42])))
    for part in ("states", "residual", "steps"):
        np.testing.assert_array_equal(getattr(one, part), getattr(two, part))
        np.testing.assert_array_equal(getattr(one, part)[40:42], getattr(alone, part))


@pytest.mark.parametrize("update", ["asynchronous", "synchronous", "gradient"])
@pytest.mark.parametrize("steps", [6, 25, 500])
def test_lanes_that_are_handed_on_change_nothing(monkeypatch, update, steps):
    """Strong couplings: some samples rest early, some late, some never, and some flip."""
    problem = network(batch=83, strength=1.4)
    asked = SettleRequest(
        problem,
        (nudge(problem),),
        initial=start(problem),
        tolerance=1e-3,
        max_steps=steps,
    )
    backend = hopfield(update=update)
    handed = backend.settle(asked)
    monkeypatch.setattr(settling, "relax_in_turn", relax_tiles)
    whole = settled(backend, asked)
    for part in ("states", "steps", "residual", "two_cycle"):
        np.testing.assert_array_equal(getattr(handed, part), getattr(whole, part))
    assert np.unique(whole.steps).size > 1 or steps < 500
    assert (whole.steps == steps).any()


def test_random_momenta_stay_with_their_samples(monkeypatch):
    """Momenta start at random, so a lane must take over those of its next sample."""
    backend = conjugate(damping="0.9", dt=0.8, momentum=0.3)
    asked = SettleRequest(network(batch=70), tolerance=1e-3, max_steps=300, seed=5)
    handed = backend.settle(asked)
    monkeypatch.setattr(settling, "relax_in_turn", relax_tiles)
    whole = settled(backend, asked)
    np.testing.assert_array_equal(handed.states, whole.states)
    np.testing.assert_array_equal(handed.steps, whole.steps)


@pytest.mark.parametrize(
    "make",
    [hopfield, lambda: hopfield(update="gradient"), lambda: conjugate(damping="0.7", dt=0.8)],
)
def test_traces_tell_of_every_step(make):
    problem = network()
    asked = SettleRequest(
        problem, precision="float64", tolerance=0.0, max_steps=4, initial=start(problem)
    )
    traced, plain = settled(make(), replace(asked, trace=True)), settled(make(), asked)
    np.testing.assert_allclose(traced.states, plain.states, atol=1e-12)
    np.testing.assert_allclose(traced.trace.energy[-1], plain.energies[:, 0], rtol=1e-12)
    np.testing.assert_allclose(
        traced.trace.residual[-1], residual_of(asked, plain.states)[:, 0], atol=1e-10
    )


def test_the_contraction_of_a_synchronous_step_is_that_of_finite_differences():
    layers = (Layer("a", 8, Amplitude(-4, 4, 1.3)), Layer("b", 2, Amplitude(-4, 4)))
    window = Window((2, 4, 1), 1, 1, pool=2, pooling="soft")
    problem = Problem(
        layers, (Convolution((0, 8), (8, 10), window, np.full((1, 1, 1, 1), -0.6)),), np.zeros((1, 10))
    )  # fmt: skip
    begin = np.random.default_rng(1).uniform(0.2, 1, (1, 1, 10))
    asked = SettleRequest(
        problem, initial=begin, precision="float64", tolerance=0.0, max_steps=1, trace=True
    )
    backend, columns = hopfield(update="gradient", dt=0.4), []
    for unit in range(10):
        ends = [
            backend.settle(replace(asked, initial=begin + sign * 1e-6 * np.eye(10)[unit])).states
            for sign in (1, -1)
        ]
        columns.append((ends[0] - ends[1])[0, 0] / 2e-6)
    volume = np.linalg.slogdet(np.array(columns))[1]
    found = settled(backend, asked).trace.contraction[0, 0]
    assert found == pytest.approx(-volume / 10, rel=1e-6)


def test_noise_shakes_states_and_couplings_and_the_residual_stays_exact():
    problem = network()
    asked = SettleRequest(problem, precision="float64", tolerance=0.0, max_steps=7, seed=4)
    shaken = settled(hopfield(state_noise=0.05), asked)
    np.testing.assert_allclose(shaken.residual, residual_of(asked, shaken.states), atol=1e-10)
    clean = settled(hopfield(), asked)
    assert 0.01 < np.abs(shaken.states - clean.states).max() < 0.5
    off = residual_of(
        asked, settled(hopfield(weight_noise=0.1), replace(asked, max_steps=200)).states
    )
    assert 0.01 < off.max() < 0.5


def test_two_cycles_are_found():
    """An image of one place and its convolution that want to agree, strongly, started apart."""
    box = Amplitude()
    pair = Problem(
        (Layer("a", 4, box), Layer("b", 1, box)),
        (
            Convolution(
                (0, 4), (4, 5), Window((2, 2, 1), 1, 1, pool=2), np.full((1, 1, 1, 1), -3.0)
            ),
        ),
        np.concatenate([np.full((3, 4), 1.0), np.full((3, 1), 1.0)], axis=1),
    )
    begin = np.array([[1.0, 0, 0, 0, 0], [1, 0, 0, 0, 1], [0, 0, 0, 0, 1]])[:, None]
    asked = SettleRequest(pair, initial=begin, tolerance=1e-3, max_steps=30)
    found = settled(hopfield(update="synchronous"), asked)
    np.testing.assert_array_equal(found.two_cycle[:, 0], [True, False, True])


def test_the_mean_of_a_pool_is_also_taken_where_only_edges_are():
    rng = np.random.default_rng(7)
    window = Window((2, 4, 1), 2, 1, pool=2, pooling="average")
    layers = (Layer("a", 8, Spin()), Layer("b", 4, Spin()))
    coupling = Convolution((0, 8), (8, 12), window, rng.normal(size=window.shape))
    problem = Problem(layers, (coupling,), rng.normal(size=(2, 12)))
    asked = SettleRequest(problem, reads=20)
    lowest = settled(open_backend("exact"), asked).energies.min(axis=1)
    np.testing.assert_allclose(settled(open_backend("neal"), asked).energies.min(axis=1), lowest)
    largest = replace(
        problem, couplings=(replace(coupling, window=replace(window, pooling="max")),)
    )
    for name in ("neal", "exact"):
        backend = open_backend(name)
        with pytest.raises(
            CapabilityError,
            match=r"convolution couplings; it takes edges; .*average pooling, not max",
        ):
            backend.settle(SettleRequest(largest))
        backend.close()


def test_parts_of_layers_are_taken_edge_by_edge_or_refused():
    window = Window((2, 2, 1), 1, 2)
    box = Amplitude(-1, 1)
    part = Convolution((0, 4), (6, 7), window, np.full((2, 2, 1, 1), 0.3))
    problem = Problem(
        (Layer("a", 6, box), Layer("b", 2, box)), (part,), np.linspace(-1, 1, 24).reshape(3, 8)
    )
    asked = SettleRequest(problem, tolerance=1e-6, precision="float64")
    edges = replace(problem, couplings=(Edges(8, *part.edges()),))
    np.testing.assert_allclose(
        settled(hopfield(), asked).states, settled(hopfield(), replace(asked, problem=edges)).states
    )
    pooled = replace(part, window=Window((2, 2, 1), 1, 1, pool=2), J=np.full((1, 1, 1, 1), 0.3))
    with pytest.raises(CapabilityError, match="not whole layers"):
        settled(hopfield(), replace(asked, problem=replace(problem, couplings=(pooled,))))
