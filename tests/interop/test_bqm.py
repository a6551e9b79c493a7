import dimod
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isingeq.couplings import Dense, Edges
from isingeq.errors import CapabilityError, ProblemError
from isingeq.interop.bqm import from_bqm, to_bqm
from isingeq.problem import Problem
from isingeq.units import Amplitude, Layer, Spin

biases = st.floats(-10, 10, allow_subnormal=False)


@st.composite
def problems(draw):
    """Spins with edges, and a dense block whose edges may lie on top of them."""
    n = draw(st.integers(2, 6))
    pairs = [(a, b) for a in range(n) for b in range(a + 1, n)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True))
    i, j = (np.array([pair[k] for pair in chosen], dtype=np.intp) for k in (0, 1))
    J = np.array(draw(st.lists(biases, min_size=len(chosen), max_size=len(chosen))), dtype=float)
    block = Dense(
        (0, 1), (1, n), np.array([draw(st.lists(biases, min_size=n - 1, max_size=n - 1))])
    )
    fields = np.array(draw(st.lists(biases, min_size=2 * n, max_size=2 * n))).reshape(2, n)
    layers = (Layer("a", 1, Spin()), Layer("b", n - 1, Spin()))
    return Problem(layers, (Edges(n, i, j, J), block), fields, draw(biases))


@st.composite
def models(draw):
    """Models of both kinds, with labels out of order and an isolated variable now and then."""
    labels = draw(st.lists(st.sampled_from(["b", "a", 7, ("t", 1), 0]), min_size=1, unique=True))
    linear = {v: draw(biases) for v in labels}
    pairs = [(u, v) for k, u in enumerate(labels) for v in labels[:k]]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    quadratic = {pair: draw(biases) for pair in chosen}
    vartype = draw(st.sampled_from([dimod.SPIN, dimod.BINARY]))
    dtype = draw(st.sampled_from([np.float64, np.float32, object]))
    return dimod.BinaryQuadraticModel(linear, quadratic, draw(biases), vartype, dtype=dtype)


def all_spins(n):
    return 2.0 * (np.arange(2**n)[:, None] >> np.arange(n) & 1) - 1.0


@given(problems(), st.integers(0, 1))
def test_a_problem_and_its_model_have_one_energy(problem, sample):
    model = to_bqm(problem, sample)
    states = all_spins(problem.n)
    theirs = model.energies((states.astype(np.int8), range(problem.n)))
    ours = problem.energy(np.broadcast_to(states, (2, *states.shape)))[sample]
    np.testing.assert_allclose(ours, theirs, atol=1e-9)
    assert model.vartype is dimod.SPIN
    assert model.num_variables == problem.n


@given(models())
def test_a_model_and_its_problem_have_one_energy(model):
    problem, variables = from_bqm(model)
    states = all_spins(problem.n)
    values = states if model.vartype is dimod.SPIN else (states + 1) / 2
    theirs = np.asarray(model.energies((values.astype(np.int8), variables)), dtype=float)
    np.testing.assert_allclose(problem.energy(states[None])[0], theirs, atol=1e-9)
    assert variables == list(model.variables)


@given(problems())
def test_there_and_back(problem):
    back, variables = from_bqm(to_bqm(problem, 1))
    assert variables == list(range(problem.n))
    np.testing.assert_array_equal(back.fields[0], problem.fields[1])
    states = all_spins(problem.n)
    ours = problem.energy(np.broadcast_to(states, (2, *states.shape)))[1]
    np.testing.assert_allclose(back.energy(states[None])[0], ours, atol=1e-9)


def test_the_model_that_came_stays_as_it_was():
    model = dimod.BinaryQuadraticModel({"x": 1.0}, {("x", "y"): 2.0}, 0.5, dimod.BINARY)
    before = model.copy()
    from_bqm(model)
    assert model == before


def test_what_a_model_cannot_hold_is_refused():
    soft = Problem((Layer("x", 2, Amplitude()),), (), np.zeros((1, 2)))
    with pytest.raises(CapabilityError, match="amplitude units"):
        to_bqm(soft)
    spins = Problem((Layer("s", 2, Spin()),), (), np.zeros((3, 2)))
    for sample in (3, -1):
        with pytest.raises(
            ProblemError, match=f"no sample {sample}: the problem has samples 0 to 2"
        ):
            to_bqm(spins, sample)


def test_models_without_sense_are_refused():
    with pytest.raises(ProblemError, match="at least 1"):
        from_bqm(dimod.BinaryQuadraticModel("SPIN"))
    for bad in (
        dimod.BinaryQuadraticModel({"a": float("nan")}, {}, 0.0, "SPIN"),
        dimod.BinaryQuadraticModel({}, {("a", "b"): float("inf")}, 0.0, "SPIN"),
    ):
        with pytest.raises(ProblemError, match="NaN or infinite"):
            from_bqm(bad)
