"""Displacements of relaxing simulators, against their definition in plain numpy and against differences of states."""

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from isingeq.backend import SettleRequest
from isingeq.couplings import Convolution, Dense, Edges, Window
from isingeq.errors import CapabilityError, ProblemError
from isingeq.problem import Problem
from isingeq.registry import open_backend
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge
from isingeq.testing.displacement import Displacement
from isingeq.units import Amplitude, Layer, Logistic

INF = np.inf
BATCH = 21
SPECS = [
    "hopfield", "hopfield?update=gradient&dt=0.4", "conjugate", "conjugate?order=synchronous",
    "conjugate?damping=0.7&dt=0.8", "conjugate?momentum=0.3&ramp=0.5&damping=0.7&dt=0.8",
]  # fmt: skip


def network(pooling="max", *, seed=0, scales=(1.0, 0.4, 0.1), strength=0.7, low=-0.5):
    """Images under pools, a dense layer behind them and two edges beside: softer from layer to layer.

    A pool that is pushed down (`low` < 0) may rest where two of its sums are equal.
    """
    rng = np.random.default_rng(seed)
    window = Window((6, 6, 2), 3, 3, padding=1, pool=2, pooling=pooling, sharpness=3.0)
    sizes = [72, 27, 5]
    units = (
        Amplitude(0, 1, scales[0]), Amplitude(low, 0.5, scales[1]), Amplitude(-INF, INF, scales[2]),
    )  # fmt: skip
    ends = np.cumsum([0, *sizes]).tolist()
    a, b, c = pairwise(ends)
    fields = 0.7 * rng.normal(size=(BATCH, ends[-1])) * np.repeat(scales, sizes)
    couplings = (
        Convolution(a, b, window, rng.normal(size=window.shape) * strength * scales[1] / 6),
        Dense(b, c, rng.normal(size=(27, 5)) * strength * scales[2] / 6),
        Edges(ends[-1], np.array([0, 3]), np.array([c[0], c[0] + 1]), 0.1 * scales[2] * np.ones(2)),
    )
    layers = tuple(Layer(n, s, u) for n, s, u in zip("abc", sizes, units, strict=True))
    return Problem(layers, couplings, fields)


def free_states(problem, precision="float64"):
    request = SettleRequest(problem, tolerance=1e-13, max_steps=5000, precision="float64")
    return open_backend("hopfield").settle(request).states.astype(precision)


def nudges(problem, size):
    rng = np.random.default_rng(5)
    signs = np.where(np.arange(BATCH) % 2, -1.0, 1.0)
    return (
        QuadraticNudge(problem.spans[-1], rng.normal(size=(BATCH, 5)), 0.3 * size * signs),
        LinearNudge(rng.normal(size=(BATCH, problem.n)) * size * 0.1),
    )


def asked(problem, terms, initial, **changes):
    return replace(
        SettleRequest(
            problem, terms, initial=initial, displacements=True, max_steps=4000, tolerance=0.0,
            precision="float64",
        ),
        **changes,
    )  # fmt: skip


@cache
def defined(size):
    """A request, its definition, and what that settles to."""
    problem = network()
    request = asked(problem, nudges(problem, size), free_states(problem), tolerance=1e-13 * size)
    twin = Displacement.of(request)
    return request, twin, twin.settle(1e-13 * size, 20_000)[0]


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("size", [0.3, 1e-9])
def test_displacements_are_those_of_the_definition(spec, size):
    request, twin, expected = defined(size)
    found = open_backend(spec).settle(request)
    largest = np.abs(expected).max()
    assert largest > 0.05 * size
    assert np.abs(found.displacements - expected).max() < 1e-8 * largest
    np.testing.assert_allclose(
        found.residual, twin.residual(found.displacements), atol=1e-12 * size
    )
    assert (found.residual <= 1e-13 * size).all()
    assert (found.steps < 4000).all()
    np.testing.assert_allclose(
        found.states, np.clip(request.initial + expected, *request.problem.bounds), atol=1e-8 * size
    )


@pytest.mark.parametrize("spec", ["hopfield", "conjugate?order=synchronous", SPECS[4]])
def test_single_precision_keeps_the_digits_of_a_small_nudge(spec):
    problem = network()
    start, terms = free_states(problem, "float32"), nudges(problem, 1e-10)
    request = asked(problem, terms, start, tolerance=1e-16, precision="float32")
    found = open_backend(spec).settle(request)
    expected, _ = Displacement.of(request).settle(1e-22, 20_000)
    assert found.displacements.dtype == np.float32
    assert np.abs(found.displacements - expected).max() < 1e-4 * np.abs(expected).max()
    # what there is of them in the states themselves
    lost = np.abs((found.states - start) - expected).max()
    assert lost > 0.1 * np.abs(expected).max()


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_they_are_differences_of_states_where_no_pool_changes_its_mind(pooling):
    problem, size = network(pooling, low=0.0), 1e-6
    start, terms = free_states(problem), nudges(problem, size)
    backend = open_backend("hopfield")
    request = asked(problem, terms, start, tolerance=1e-14 * size)
    moved = backend.settle(request).displacements
    states = backend.settle(replace(request, displacements=False, tolerance=1e-15)).states
    assert np.abs(moved - (states - start)).max() < 1e-6 * np.abs(moved).max()


def test_walls_stay_where_they_are():
    """Units at walls are held there or leave, others come to walls: all of that happens under a large nudge."""
    problem = network("average")
    start, terms = free_states(problem), nudges(problem, 0.3)
    backend = open_backend("hopfield")
    request = asked(problem, terms, start, tolerance=1e-13)
    found = backend.settle(request)
    states = backend.settle(replace(request, displacements=False)).states
    low, high = problem.bounds
    before, after = (((x <= low) | (x >= high)) for x in (start, states))
    for part in (before & after, before & ~after, ~before & after):
        assert part.any()
    np.testing.assert_allclose(found.states, states, atol=1e-10)
    assert ((found.states >= low) & (found.states <= high)).all()


def test_a_rest_that_was_not_waited_for_moves_nothing():
    problem = network()
    loose = open_backend("hopfield").settle(
        SettleRequest(problem, tolerance=1e-2, max_steps=500, precision="float64")
    )
    assert loose.residual.max() > 1e-4
    nothing = (LinearNudge(np.zeros((BATCH, problem.n))),)
    request = asked(problem, nothing, loose.states, tolerance=1e-12)
    found = open_backend("conjugate").settle(request)
    assert np.abs(found.displacements).max() == 0.0
    assert (found.steps == 0).all()


@pytest.mark.parametrize("spec", ["hopfield", "conjugate?damping=0.7&dt=0.8"])
def test_no_sample_depends_on_the_others(spec):
    problem = network()
    start, terms = free_states(problem), nudges(problem, 1e-3)
    together = open_backend(spec).settle(asked(problem, terms, start, tolerance=1e-9))
    with_threads = open_backend(spec + ("&" if "?" in spec else "?") + "threads=2").settle(
        asked(problem, terms, start, tolerance=1e-9)
    )
    np.testing.assert_array_equal(together.displacements, with_threads.displacements)
    for row in (0, 17):
        part = slice(row, row + 1)
        alone = open_backend(spec).settle(
            asked(
                problem.with_fields(problem.fields[part]),
                (
                    replace(terms[0], targets=terms[0].targets[part], strength=terms[0].strength[part]),
                    LinearNudge(terms[1].force[part]),
                ),
                start[part], tolerance=1e-9,
            )
        )  # fmt: skip
        np.testing.assert_array_equal(alone.displacements[0], together.displacements[row])


def test_reads_start_from_states_of_their_own():
    problem = network()
    start = np.repeat(free_states(problem), 2, axis=1)
    start[:, 1] = np.clip(start[:, 1] + 0.05, *problem.bounds)
    request = asked(problem, nudges(problem, 1e-6), start, reads=2, tolerance=1e-18)
    found = open_backend("hopfield").settle(request)
    expected, _ = Displacement.of(request).settle(1e-18, 20_000)
    assert np.abs(found.displacements - expected).max() < 1e-6 * np.abs(expected).max()
    assert np.abs(expected[:, 0] - expected[:, 1]).max() > 1e-2 * np.abs(expected).max()


def test_too_few_steps_are_told():
    problem = network()
    request = asked(problem, nudges(problem, 1e-6), free_states(problem), max_steps=1, tolerance=1e-18)  # fmt: skip
    found = open_backend("hopfield").settle(request)
    twin = Displacement.of(request)
    np.testing.assert_allclose(found.residual, twin.residual(found.displacements), rtol=1e-9)
    assert (found.residual > 1e-9).any()


def test_what_has_no_displacements_is_refused_in_one_line():
    problem = network()
    start, terms = free_states(problem), nudges(problem, 1e-3)
    request = asked(problem, terms, start)
    mask = np.zeros(problem.n, bool)
    mask[slice(*problem.spans[-1])] = True
    held = Clamp(mask, np.zeros((BATCH, problem.n)))
    soft = network("soft")
    smooth = Problem((Layer("a", 2, Logistic(1.0)),), (), np.zeros((1, 2)))
    for spec, changed, kind, words in (
        ("hopfield", {"initial": None}, ProblemError, "initial states"),
        ("hopfield", {"trace": True}, CapabilityError, "traces"),
        ("hopfield", {"terms": (held,)}, CapabilityError, "clamp"),
        ("hopfield", {"problem": soft}, CapabilityError, "soft maximum"),
        ("conjugate?force_noise=0.1", {}, CapabilityError, "noise"),
        (
            "hopfield",
            {"problem": smooth, "terms": (), "initial": np.full((1, 1, 2), 0.5)},
            CapabilityError,
            "amplitudes",
        ),
    ):
        with pytest.raises(kind, match=words) as raised:
            open_backend(spec).settle(replace(request, **changed))
        assert "\n" not in str(raised.value)
