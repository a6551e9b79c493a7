"""Machines that know nothing of images settle convolutions with the mean of a pool, which lower to edges."""

from dataclasses import replace

import numpy as np
import pytest

from isingeq.backend import Claim, SettleRequest
from isingeq.couplings import Convolution, Cosine, Dense, Edges, Injection, Window
from isingeq.errors import CapabilityError
from isingeq.problem import Problem, lower
from isingeq.registry import open_backend
from isingeq.terms import LinearNudge
from isingeq.units import Amplitude, Layer, Phase, Quartic, Spin

UNITS = {
    "neal": Spin(),
    "coherent": Spin(),
    "coherent?readout=amplitude": Quartic(0.2),
    "oscillator": Spin(),
    "oscillator?readout=phase": Phase(),
    "xy": Phase(),
    "conjugate": Amplitude(-1.0, 1.0),
    "hopfield": Amplitude(-1.0, 1.0),
    "exact": Spin(),
}


def images(spec, pooling="average", batch=3):
    """An image, a convolution with pooling, and a dense layer of three outputs; for `exact` a smaller one."""
    rng = np.random.default_rng(5)
    side, channels, kernel = (3, 2, 2) if spec == "exact" else (6, 4, 3)
    window = Window((side, side, 1), channels, kernel, pool=2, pooling=pooling)
    unit = UNITS[spec]
    pixels, maps = side * side, int(np.prod(window.target))
    ends = (0, pixels, pixels + maps, pixels + maps + 3)
    layers = tuple(
        Layer(name, last - first, unit)
        for name, first, last in zip(("image", "maps", "output"), ends[:-1], ends[1:], strict=True)
    )
    couplings = (
        Convolution(ends[:2], ends[1:3], window, 0.4 * rng.normal(size=window.shape)),
        Dense(ends[1:3], ends[2:], 0.3 * rng.normal(size=(maps, 3))),
    )
    fields = rng.normal(size=(batch, ends[3]))
    if unit == Phase():
        angle, size = rng.uniform(-np.pi, np.pi, fields.shape), rng.uniform(2, 4, fields.shape)
        fields = size[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        couplings = tuple(map(Cosine, couplings))
        if spec.startswith("oscillator"):
            couplings = (*couplings, Injection(rng.uniform(-0.5, 0.2, ends[3])))
    return Problem(layers, couplings, fields)


def on_edges(problem):
    """The same problem with every pairwise coupling as a list of edges."""
    listed = []
    for kind in problem.couplings:
        if not kind.pairwise:
            listed.append(kind)
            continue
        edges = Edges(problem.n, *kind.edges())
        listed.append(Cosine(edges) if isinstance(kind, Cosine) else edges)
    return replace(problem, couplings=tuple(listed))


@pytest.mark.parametrize("spec", UNITS)
def test_moments_of_shared_couplings_are_those_of_the_edges_gathered(spec):
    problem = images(spec)
    listed = on_edges(problem)
    backend = open_backend(spec)
    exact = backend.capabilities.claim is Claim.FIXED_POINT
    asked = SettleRequest(
        problem, reads=1 if exact or spec == "exact" else 8, seed=3, max_steps=20_000,
        tolerance=1e-9 if exact else 1e-4, precision="float64" if exact else "float32",
    )  # fmt: skip
    found, again = backend.settle(asked), backend.settle(replace(asked, problem=listed))
    backend.close()
    if exact:
        assert found.settled.all()
        assert problem.residual(found.states).max() <= 1e-8
        np.testing.assert_allclose(found.states, again.states, atol=1e-7)
    np.testing.assert_allclose(
        problem.energy(found.states), listed.energy(found.states), rtol=1e-9, atol=1e-9
    )
    if backend.capabilities.claim is Claim.GROUND_STATE:
        lowest = [f.energies.min(axis=1) for f in (found, again)]
        np.testing.assert_allclose(*lowest, atol=1e-9)
    reads = found.states.shape[1]
    share = np.full(found.states.shape[:2], 1 / reads) if found.weights is None else found.weights
    rows = found.states.reshape(-1, problem.n).astype(np.float64)
    weights = (share * np.array([0.7, -0.4, 1.1])[:, None]).ravel()
    for kind, edges in zip(problem.couplings, listed.couplings, strict=True):
        if kind.pairwise:
            np.testing.assert_allclose(
                kind.moments(rows, weights), kind.gather(edges.moments(rows, weights)), atol=1e-9
            )
    assert np.abs(problem.couplings[0].moments(rows, weights)).min() > 1e-6


def test_one_number_of_a_kernel_stands_on_many_edges():
    """Otherwise the gathering above would not be put to the test."""
    problem = images("neal")
    kind = problem.couplings[0]
    i, j, J = kind.edges()
    assert kind.J.size == 36
    # 2 × 2 pooled places of 4 channels, each of 4 × 4 pixels, from a kernel that is folded with its pool
    assert J.size == 2 * 2 * 4 * 4 * 4
    assert np.unique(np.stack([i, j]), axis=1).shape[1] == J.size
    lowered = lower(problem)
    np.testing.assert_array_equal(lowered.J[: J.size], J)
    shapes = [part.shape for part in lowered.gather(np.ones(lowered.J.size))]
    assert shapes == [kind.J.shape, problem.couplings[1].J.shape]


@pytest.mark.parametrize("spec", ["exact", "neal"])
def test_gradients_of_kernels_follow_the_states(spec):
    """The derivative of the mean energy along a change of the kernel is that change times the moments."""
    problem, change = images(spec), 1e-5
    rng = np.random.default_rng(0)
    states = np.tanh(rng.normal(size=(3, 1, problem.n)))
    kind, weights = problem.couplings[0], np.array([0.2, 0.5, 0.3])
    along = rng.normal(size=kind.J.shape)
    ends = [
        weights @ replace(
            problem,
            couplings=(replace(kind, J=kind.J + sign * change * along), problem.couplings[1]),
        ).energy(states)[:, 0]
        for sign in (1, -1)
    ]  # fmt: skip
    wanted = (along * kind.moments(states[:, 0], weights)).sum()
    np.testing.assert_allclose((ends[0] - ends[1]) / (2 * change), wanted, rtol=1e-7)


@pytest.mark.parametrize(
    "spec", ["coherent?readout=amplitude", "xy", "oscillator?readout=phase", "conjugate"]
)
def test_a_nudge_moves_kernels_the_same_way_on_edges(spec):
    """The contrast of two equilibria, which is the gradient, gathered from edges."""
    problem = images(spec)
    listed, backend = on_edges(problem), open_backend(spec)
    force = 0.2 * np.random.default_rng(7).normal(size=problem.fields.shape)
    contrasts = []
    for each in (problem, listed):
        plus, minus = (
            backend.settle(
                SettleRequest(each, (LinearNudge(sign * force),), precision="float64",
                              tolerance=1e-10, max_steps=20_000)
            ).states[:, 0]
            for sign in (1, -1)
        )  # fmt: skip
        ones = np.ones(3)
        contrasts.append(each.couplings[0].moments(plus, ones) - each.couplings[0].moments(minus, ones))  # fmt: skip
    backend.close()
    gathered = problem.couplings[0].gather(contrasts[1])
    np.testing.assert_allclose(contrasts[0], gathered, atol=1e-7)
    assert np.abs(gathered).max() > 0.01


@pytest.mark.parametrize("spec", ["neal", "coherent", "exact"])
def test_the_largest_of_a_pool_is_no_sum_over_pairs(spec):
    backend = open_backend(spec)
    with pytest.raises(CapabilityError, match="convolution"):
        backend.settle(SettleRequest(images(spec, "max")))
    backend.close()
