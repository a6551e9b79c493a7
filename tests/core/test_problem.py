"""Problem: one energy, by hand and by finite differences."""

import numpy as np
import pytest

from isingeq.couplings import Cosine, Dense, Edges, Injection
from isingeq.errors import ProblemError
from isingeq.problem import Problem, layer_index, lower
from isingeq.units import Amplitude, Layer, Logistic, Phase, Quartic, Spin

LINEAR = Amplitude(-np.inf, np.inf, 0.6)


def triangle():
    """Three spins, all couplings antiferromagnetic, no two alike, in two different fields."""
    edges = Edges(3, np.array([0, 0, 1]), np.array([1, 2, 2]), np.array([1.0, 0.5, 0.25]))
    fields = np.array([[0.1, -0.2, 0.4], [-1.0, 0.0, 2.0]])
    return Problem((Layer("s", 3, Spin()),), (edges,), fields, offset=10.0)


def mixed(seed=0, batch=3):
    """Amplitudes, logistic and linear units in a frustrated cycle of layers."""
    rng = np.random.default_rng(seed)
    layers = (
        Layer("a", 3, Amplitude(0.0, 1.0, 2.5)),
        Layer("b", 2, Logistic(1.7)),
        Layer("c", 2, LINEAR),
    )
    couplings = (
        Dense((0, 3), (3, 5), rng.normal(size=(3, 2))),
        Dense((5, 7), (3, 5), rng.normal(size=(2, 2))),
        Edges(7, np.array([0, 1]), np.array([6, 5]), rng.normal(size=2)),
    )
    return Problem(layers, couplings, rng.normal(size=(batch, 7)), offset=0.3)


@pytest.mark.parametrize(
    ("state", "first", "second"),
    [
        # Σ J s s is 1.75, 0.25, −1.25, −0.75 for these four; Σ h s differs between the rows.
        ((1, 1, 1), 10 + 0.3 + 1.75, 10 + 1.0 + 1.75),
        ((1, 1, -1), 10 - 0.5 + 0.25, 10 - 3.0 + 0.25),
        ((1, -1, 1), 10 + 0.7 - 0.75, 10 + 1.0 - 0.75),
        ((-1, 1, 1), 10 + 0.1 - 1.25, 10 + 3.0 - 1.25),
    ],
)
def test_energy_of_a_frustrated_triangle_by_hand(state, first, second):
    states = np.broadcast_to(np.array(state, float), (2, 1, 3))
    np.testing.assert_allclose(triangle().energy(states), [[first], [second]], rtol=1e-14)


def test_energy_of_amplitudes_by_hand():
    layers = (Layer("a", 1, Amplitude(0, 3, 2.0)), Layer("b", 1, Amplitude(0, 3, 4.0)))
    problem = Problem(
        layers, (Dense((0, 1), (1, 2), np.array([[-0.5]])),), np.array([[0.25, -1.0]])
    )
    # ½·2·1² + ½·4·2² − 0.5·1·2 + 0.25·1 − 1·2
    assert problem.energy(np.array([[[1.0, 2.0]]])) == pytest.approx(1 + 8 - 1 + 0.25 - 2)


def test_energy_is_in_double_precision_whatever_comes_in():
    problem = mixed()
    states = np.random.default_rng(1).uniform(0.2, 0.8, (3, 2, 7)).astype(np.float32)
    single = Problem(problem.layers, problem.couplings, problem.fields.astype(np.float32))
    assert single.energy(states).dtype == np.float64


def test_gradient_is_the_slope_of_the_energy():
    problem = mixed()
    states = np.random.default_rng(1).uniform(0.2, 0.8, (3, 2, 7))
    gradient, step = problem.gradient(states), 1e-6
    assert gradient.shape == states.shape
    for unit in range(7):
        moved = np.zeros(7)
        moved[unit] = step
        numeric = (problem.energy(states + moved) - problem.energy(states - moved)) / (2 * step)
        np.testing.assert_allclose(gradient[..., unit], numeric, atol=1e-8)


def test_field_leaves_self_energies_out():
    problem = mixed()
    states = np.random.default_rng(1).uniform(0.2, 0.8, (3, 2, 7))
    slopes = np.concatenate(
        [
            k.unit.slope(states[..., a:b])
            for k, (a, b) in zip(problem.layers, problem.spans, strict=True)
        ],
        -1,
    )
    np.testing.assert_allclose(problem.field(states), problem.gradient(states) - slopes, atol=1e-14)


def test_rows_have_their_own_fields():
    problem = mixed()
    same = np.broadcast_to(np.random.default_rng(1).uniform(0.2, 0.8, 7), (3, 1, 7))
    np.testing.assert_allclose(
        np.diff(problem.energy(same)[:, 0]), np.diff(problem.fields @ same[0, 0]), rtol=1e-12
    )


def test_residual_is_the_distance_to_the_state_one_step_on_with_walls():
    layers = (Layer("box", 2, Amplitude(0.0, 1.0, 2.0)), Layer("out", 1, LINEAR))
    problem = Problem(layers, (), np.array([[-3.0, 0.5, 0.9]]))

    def residual(*state):
        return problem.residual(np.array([[state]]))[0, 0]

    # slopes: 2x − 3, 2x + 0.5, 0.6x + 0.9
    assert residual(1.0, 0.0, -1.5) == pytest.approx(
        0, abs=1e-15
    )  # both walls push outwards: at rest
    assert residual(0.75, 0.0, -1.5) == pytest.approx(0.25)  # would go to 2.25, the wall is at 1
    assert residual(1.0, 0.125, -1.5) == pytest.approx(
        0.125
    )  # would go to −0.625, the wall is at 0
    assert residual(1.0, 0.0, 1.0) == pytest.approx(1.5)  # no wall: the whole slope counts


def test_residual_takes_another_slope():
    problem = Problem((Layer("box", 2, Amplitude()),), (), np.zeros((1, 2)))
    states = np.array([[[0.5, 0.5]]])
    assert problem.residual(states, np.array([[[0.1, -0.3]]]))[0, 0] == pytest.approx(0.3)


def test_lower_writes_every_coupling_once_in_order():
    problem = mixed()
    lowered = lower(problem)
    assert (lowered.i < lowered.j).all()
    states = np.random.default_rng(2).normal(size=(3, 1, 7))
    by_edges = np.einsum("m,brm,brm->br", lowered.J, states[..., lowered.i], states[..., lowered.j])
    np.testing.assert_allclose(
        by_edges, sum(c.energy(states) for c in problem.couplings), rtol=1e-12
    )
    np.testing.assert_array_equal(lowered.h, problem.fields)
    for back, coupling in zip(lowered.gather(lowered.J), problem.couplings, strict=True):
        np.testing.assert_array_equal(back, coupling.J)


def test_lower_without_couplings_is_empty():
    lowered = lower(Problem((Layer("s", 2, Spin()),), (), np.zeros((1, 2))))
    assert lowered.J.size == lowered.i.size == lowered.j.size == 0
    assert lowered.gather(lowered.J) == []


def test_spans_bounds_batch_and_names():
    problem = mixed()
    assert problem.spans == ((0, 3), (3, 5), (5, 7))
    assert (problem.n, problem.batch) == (7, 3)
    np.testing.assert_array_equal(problem.bounds[0], [0, 0, 0, 0, 0, -np.inf, -np.inf])
    np.testing.assert_array_equal(problem.bounds[1], [1, 1, 1, 1, 1, np.inf, np.inf])
    assert layer_index(problem.layers, "b") == 1
    with pytest.raises(ProblemError, match="'d'; there are a, b, c"):
        layer_index(problem.layers, "d")


def test_repeated_tiles_the_batch_and_keeps_the_couplings():
    problem = mixed()
    twice = problem.repeated(2)
    np.testing.assert_array_equal(twice.fields, np.concatenate([problem.fields, problem.fields]))
    assert twice.version == problem.version
    assert twice.offset == problem.offset


def test_versions_follow_couplings_and_structure_does_not():
    problem = mixed(0)
    assert problem.with_fields(np.zeros((1, 7))).version == problem.version
    assert mixed(1).version > problem.version
    assert mixed(1).structure == problem.structure


def test_fields_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        mixed().fields[0, 0] = 1


@pytest.mark.parametrize("shape", [(7,), (2, 6), (2, 8), (1, 2, 7)])
def test_fields_of_another_shape_are_refused(shape):
    with pytest.raises(ProblemError, match="n = 7"):
        mixed().with_fields(np.zeros(shape))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_fields_that_are_not_finite_are_refused(bad):
    fields = np.zeros((2, 7))
    fields[1, 6] = bad
    with pytest.raises(ProblemError, match="NaN or infinite"):
        mixed().with_fields(fields)


def test_fields_of_infinities_of_both_signs_are_refused_too():
    fields = np.zeros((2, 7))
    fields[1, 5:] = np.inf, -np.inf
    with pytest.raises(ProblemError, match="NaN or infinite"):
        mixed().with_fields(fields)


@pytest.mark.parametrize(
    ("coupling", "message"),
    [
        (Edges(3, np.array([0]), np.array([2]), np.ones(1)), "edges couplings are made for 3 units, .* have 4"),
        (Edges(5, np.array([0]), np.array([1]), np.ones(1)), "edges couplings are made for 5 units, .* have 4"),
        (Dense((0, 2), (3, 5), np.ones((2, 2))), "dense couplings end at units 3 to 4, .* units 0 to 3"),
        (Dense((4, 6), (0, 2), np.ones((2, 2))), "dense couplings end at units 4 to 5, .* units 0 to 3"),
        (Dense((-2, 0), (0, 2), np.ones((2, 2))), "dense couplings end at units -2 to -1"),
    ],
)  # fmt: skip
def test_couplings_to_units_that_are_not_there_are_refused(coupling, message):
    with pytest.raises(ProblemError, match=message):
        Problem((Layer("s", 4, Spin()),), (coupling,), np.zeros((1, 4)))
    with pytest.raises(ProblemError, match=f"cosine {message}"):
        Problem((Layer("p", 4, Phase()),), (Cosine(coupling),), np.zeros((1, 4, 2)))


def test_an_injection_needs_a_strength_for_every_unit():
    with pytest.raises(ProblemError, match="injection couplings are made for 3 units"):
        Problem((Layer("p", 4, Phase()),), (Injection(np.ones(3)),), np.zeros((1, 4, 2)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("unit", [LINEAR, Quartic(), Phase(), Amplitude(0.0, np.inf)])
def test_states_without_walls_must_be_finite_all_the_same(unit, bad):
    shape = (1, 3, 2) if unit.kind == "phase" else (1, 3)
    problem = Problem((Layer("x", 3, unit),), (), np.zeros(shape))
    states = np.full((2, 3), 7.0)
    problem.check_states("states", states)
    states[1, 2] = bad
    with pytest.raises(ProblemError, match="states of units 0 to 2 are NaN, infinite or outside"):
        problem.check_states("states", states)
    problem.check_states("states", states, np.array([True, True, False]))
