"""IsingEqSampler: dimod's own tests on every backend of spins, and what they leave out."""

import json
import re
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import dimod
import dimod.testing
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isingeq.backends.null import Null
from isingeq.errors import BackendError, CapabilityError, ConfigError, ProblemError
from isingeq.interop import IsingEqSampler, sampler
from isingeq.registry import names, needs_argument, open_backend, parse_spec
from isingeq.schedule import Annealing, Relaxation

# Every registered backend of spins is in here, or a test below fails.
SPECS = (
    "neal?sweeps=200",
    "exact?beta=2",
    "exact?beta=2&draw=true",
    "null",
    "metropolis?sweeps=200",
    "gibbs?sweeps=200",
    "p-bit?sweeps=200",
    "bifurcation?sweeps=200",
    "coherent",
    "oscillator?readout=spin",
)
# Samplers of exp(−0.7 E), with the reads they are given.
AT_BETA = {
    "exact?beta=0.7": 20000,
    "neal?beta=0.7&sweeps=40": 4000,
    "metropolis?beta=0.7&sweeps=40": 4000,
    "gibbs?beta=0.7&sweeps=40": 4000,
    "p-bit?beta=0.7&sweeps=40": 4000,
}
SEARCHERS = (
    "exact?beta=50",
    "neal?sweeps=200",
    "metropolis?sweeps=200",
    "gibbs?sweeps=200",
    "p-bit?sweeps=200",
    "bifurcation?sweeps=200",
    "coherent",
)

LABELS = ["b", 7, ("t", 1), "a"]
biases = st.floats(-10, 10, allow_subnormal=False)


@pytest.fixture
def ring():
    """Three variables of 0 and 1 on an odd ring, no two alike."""
    linear = {"b": 0.8, 7: -0.3, ("t", 1): 0.5}
    quadratic = {("b", 7): -1.6, (7, ("t", 1)): 1.3, ("b", ("t", 1)): 0.9}
    return dimod.BinaryQuadraticModel(linear, quadratic, 0.4, dimod.BINARY)


def random_model(n, vartype=dimod.SPIN, seed=3):
    """A dense model of real biases."""
    random = np.random.default_rng(seed)
    row, column = np.triu_indices(n, 1)
    quadratic = (row, column, random.normal(size=row.size))
    return dimod.BinaryQuadraticModel.from_numpy_vectors(
        random.normal(size=n), quadratic, 1.25, vartype
    )


@pytest.mark.parametrize("spec", SPECS)
def test_dimods_own_tests_pass(spec):
    with IsingEqSampler(spec) as sampler:
        dimod.testing.assert_sampler_api(sampler)
        tests = dimod.testing.load_sampler_bqm_tests(sampler)(
            type("Tests", (unittest.TestCase,), {})
        )
        outcome = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromTestCase(tests).run(outcome)
    assert outcome.testsRun > 30
    assert outcome.failures + outcome.errors + outcome.skipped == []


def test_no_backend_of_spins_is_left_out():
    tested = {parse_spec(spec).name for spec in SPECS}
    for name in (name for name in names() if not needs_argument(name)):
        with closing(open_backend(name)) as backend:
            assert name in tested or "spin" not in backend.capabilities.units


@pytest.mark.parametrize("spec", AT_BETA)
def test_frequencies_are_those_of_boltzmann(spec, ring):
    """Pearson's chi-square over the eight states, within five standard errors of its mean."""
    with IsingEqSampler(spec) as sampler:
        found = sampler.sample(ring, num_reads=AT_BETA[spec], seed=5)
    states = np.array(list(np.ndindex(2, 2, 2)))
    p = np.exp(-0.7 * ring.energies((states, ring.variables)))
    p /= p.sum()
    columns = [found.variables.index(v) for v in ring.variables]
    counts = np.bincount(found.record.sample[:, columns] @ [4, 2, 1], minlength=8)
    expected = AT_BETA[spec] * p
    assert expected.min() > 100
    assert ((counts - expected) ** 2 / expected).sum() < 7 + 5 * np.sqrt(14)
    assert (found.record.num_occurrences == 1).all()


def drawn(found):
    """What was found, without how long it took."""
    return found.record.sample.tolist(), found.record.energy.tolist()


def test_a_distribution_is_drawn_from_as_the_backend_itself_would(ring):
    own, theirs = (
        drawn(IsingEqSampler(spec).sample(ring, num_reads=50, seed=2))
        for spec in ("exact?beta=0.7", "exact?beta=0.7&draw=true")
    )
    assert own == theirs


@pytest.mark.parametrize("spec", SEARCHERS)
@pytest.mark.parametrize("vartype", [dimod.SPIN, dimod.BINARY])
def test_the_minimum_is_found(spec, vartype):
    model = random_model(12, vartype)
    with IsingEqSampler(spec) as sampler:
        best = sampler.sample(model, num_reads=20, seed=0).first
    wanted = dimod.ExactSolver().sample(model).first
    assert best.energy == pytest.approx(wanted.energy, abs=1e-9)
    assert best.sample == wanted.sample


@given(
    st.dictionaries(st.sampled_from(LABELS), biases),
    st.lists(biases, min_size=6, max_size=6),
    biases,
    st.sampled_from([dimod.SPIN, dimod.BINARY]),
    st.sampled_from([np.float32, np.float64, object]),
    st.sampled_from(["null", "exact?draw=true"]),
)
def test_energies_are_those_of_the_model(linear, couplings, offset, vartype, dtype, spec):
    """Models without variables, of one, and of variables without interactions are among them."""
    variables = list(linear)
    pairs = [(u, v) for k, u in enumerate(variables) for v in variables[:k]]
    quadratic = {pair: J for pair, J in zip(pairs, couplings, strict=False) if J > -5}
    model = dimod.BinaryQuadraticModel(linear, quadratic, offset, vartype, dtype=dtype)
    with IsingEqSampler(spec) as sampler:
        found = sampler.sample(model, num_reads=5, seed=1)
    assert found.vartype is vartype
    assert list(found.variables) == list(model.variables)
    assert len(found) == 5
    assert found.record.energy.dtype == np.float64
    np.testing.assert_array_equal(found.record.energy, model.energies(found))


@pytest.mark.parametrize("vartype", [dimod.SPIN, dimod.BINARY])
def test_every_variable_gets_its_own_value(vartype):
    """Fields alone, of either sign, on labels that cannot be sorted."""
    wanted = dict(zip(LABELS, (True, False, False, True), strict=True))
    low = min(vartype.value)
    linear = {v: -2.0 if up else 1.5 for v, up in wanted.items()}
    with IsingEqSampler("neal") as sampler:
        found = sampler.sample(
            dimod.BinaryQuadraticModel(linear, {}, 0.0, vartype), num_reads=3, seed=0
        )
    assert [
        row == {v: 1 if up else low for v, up in wanted.items()} for row in found.samples()
    ] == [True] * 3


def test_models_with_nothing_to_choose():
    with IsingEqSampler("neal") as sampler:
        empty = sampler.sample(dimod.BinaryQuadraticModel({}, {}, 1.5, "BINARY"), num_reads=4)
        flat = sampler.sample_ising({"a": 0, "b": 0}, {("a", "b"): 0}, num_reads=64, seed=0)
    assert empty.record.sample.shape == (4, 0)
    assert (empty.record.energy == 1.5).all()
    assert empty.info == {"provenance": None, "schedule": None, "timing": None}
    assert set(map(tuple, flat.record.sample)) == {(1, 1), (1, -1), (-1, 1), (-1, -1)}


def test_a_seed_says_it_all():
    model = random_model(20)
    with IsingEqSampler("neal?beta=0.1") as sampler:
        one, same, other, free, freer = (
            sampler.sample(model, num_reads=10, seed=s) for s in (1, 1, 2, None, None)
        )
        again = sampler.sample(model, num_reads=10, seed=free.info["provenance"]["seed"])
    assert drawn(one) == drawn(same)
    assert drawn(free) == drawn(again)
    assert drawn(one) != drawn(other)
    assert drawn(free) != drawn(freer)


def rows(found, labels):
    """Samples with their columns in the order of the labels."""
    return found.record.sample[:, [found.variables.index(v) for v in labels]].tolist()


STATES = [[1, -1, -1], [-1, 1, -1]]


@pytest.mark.parametrize(
    "states",
    [
        (STATES, ["a", "b", "c"]),
        [{"c": -1, "a": 1, "b": -1}, {"b": 1, "a": -1, "c": -1}],
        ([[1, 0, 0], [0, 1, 0]], ["a", "b", "c"]),
        dimod.SampleSet.from_samples((STATES, "abc"), "SPIN", energy=0.0),
        dimod.SampleSet.from_samples((STATES, "abc"), "SPIN", energy=0.0).change_vartype("BINARY"),
    ],
    ids=["array", "dicts", "zeros", "spins", "sample set of 0 and 1"],
)
@pytest.mark.parametrize("vartype", ["SPIN", "BINARY"])
def test_initial_states_start_the_reads(states, vartype):
    """The null backend gives back what it is given."""
    model = dimod.BinaryQuadraticModel({"c": 1.0, "a": 2.0, "b": 3.0}, {}, 0.0, vartype)
    first, second = (
        np.array(STATES) if vartype == "SPIN" else (np.array(STATES) + 1) // 2
    ).tolist()

    def found(**options):
        with IsingEqSampler("null") as sampler:
            return rows(sampler.sample(model, initial_states=states, **options), "abc")

    assert found() == [first, second]
    assert found(num_reads=1) == [first]
    assert found(initial_states_generator="none") == [first, second]
    assert found(num_reads=5, initial_states_generator="tile") == [first, second] * 2 + [first]
    filled = found(num_reads=40, seed=3)
    assert filled[:2] == [first, second]
    assert len(set(map(tuple, filled))) == 8


def test_what_is_drawn_for_a_read_depends_on_its_place_alone():
    model, labels = random_model(9), range(9)
    with IsingEqSampler("null") as sampler:
        one, three, other = (
            rows(sampler.sample(model, num_reads=6, initial_states=start, seed=s), labels)
            for start, s in ((np.ones((1, 9)), 4), (np.ones((3, 9)), 4), (np.ones((1, 9)), 5))
        )
    assert one[3:] == three[3:]
    assert one[3:] != other[3:]


def test_a_cold_schedule_stays_near_its_start_and_a_hot_one_leaves():
    """A ferromagnetic chain with all spins against a weak field: no single flip goes down."""
    h, J = dict.fromkeys(range(8), -0.1), {(i, i + 1): -1.0 for i in range(7)}
    options = {
        "num_reads": 30,
        "seed": 1,
        "initial_states": [dict.fromkeys(range(8), -1)],
        "initial_states_generator": "tile",
    }
    with IsingEqSampler("neal?sweeps=50") as sampler:
        cold = sampler.sample_ising(h, J, schedule=Annealing.constant(100.0, 5), **options)
        hot = sampler.sample_ising(h, J, **options)
    assert (cold.record.sample == -1).all()
    assert cold.info["schedule"] == {"kind": "Annealing", "betas": (100.0,) * 5}
    assert (hot.first.energy, hot.info["schedule"]["betas"][49]) == pytest.approx(
        (-7.8, np.log(100) / 0.1)
    )


def test_what_it_says_of_itself_is_plain_and_true():
    with IsingEqSampler("neal?sweeps=7") as neal, IsingEqSampler("exact") as exact:
        found = neal.sample(random_model(5), seed=8)
        assert set(neal.parameters) == {
            "num_reads", "seed", "initial_states", "initial_states_generator", "schedule"
        }  # fmt: skip
        assert set(exact.parameters) == {"num_reads", "seed", "schedule"}
        told = {name for names in neal.parameters.values() for name in names}
        assert told <= set(neal.properties)
        assert neal.properties["backend"] == "neal"
        assert neal.properties["claim"] == "ground state"
        assert neal.properties["schedules"] == ["Annealing"]
        assert neal.properties["units"] == ["spin"]
        assert exact.properties["max_units"] == 20
        for sampler in (neal, exact):
            assert json.loads(json.dumps(sampler.properties)) == sampler.properties
        assert repr(neal) == "IsingEqSampler('neal?sweeps=7')"
    assert found.info["provenance"]["backend"] == "neal"
    assert found.info["provenance"]["seed"] == 8
    assert len(found.info["schedule"]["betas"]) == 7
    assert found.info["timing"]["host_s"] > 0
    back = dimod.SampleSet.from_serializable(json.loads(json.dumps(found.to_serializable())))
    assert drawn(back) == drawn(found)
    assert back.info == json.loads(json.dumps(found.info))


REFUSED = {
    "num_sweeps": ({"num_sweeps": 10}, ConfigError, "takes no num_sweeps; it takes num_reads, seed"),
    "no reads": ({"num_reads": 0}, ConfigError, "num_reads must be a whole number >= 1, got 0"),
    "half a read": ({"num_reads": 2.5}, ConfigError, "num_reads must be .* got 2.5"),
    "seed": ({"seed": -1}, ConfigError, "seed must be a whole number >= 0, got -1"),
    "large seed": ({"seed": 2**63}, ConfigError, "seed must be"),
    "generator": ({"initial_states_generator": "zeros"}, ConfigError, "must be one of random, tile"),
    "tile nothing": ({"initial_states_generator": "tile"}, ConfigError, "needs 1 or more .* got 0"),
    "too few": (
        {"num_reads": 3, "initial_states": {0: 1, 1: 1}, "initial_states_generator": "none"},
        ConfigError, "'none' needs 3 or more initial states for 3 reads, got 1",
    ),
    "other variables": ({"initial_states": {0: 1, 5: 1}}, ProblemError, "2 variables, .* has 1 of its 2"),
    "half a spin": ({"initial_states": {0: 1, 1: 0.5}}, ProblemError, "-1 and 1, or 0 and 1"),
    "both kinds": ({"initial_states": {0: 0, 1: -1}}, ProblemError, "-1 and 1, or 0 and 1"),
    "no samples": ({"initial_states": ["up", "down"]}, ProblemError, "are not samples-like"),
    "schedule": ({"schedule": Relaxation("synchronous", 0.1, (1, 1))}, CapabilityError, "a schedule of the kind"),
}  # fmt: skip


@pytest.mark.parametrize(("options", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_an_argument_without_sense_is_refused_in_one_line(options, error, message):
    with IsingEqSampler("neal") as sampler, pytest.raises(error, match=message) as caught:
        sampler.sample_ising({0: 1.0, 1: 0.5}, {(0, 1): 1.0}, **options)
    assert "\n" not in str(caught.value)


def test_a_model_that_the_backend_cannot_hold_is_refused():
    with IsingEqSampler("exact") as exact:
        with pytest.raises(
            CapabilityError, match="exact cannot take 21 units; it takes at most 20"
        ):
            exact.sample(random_model(21))
        with pytest.raises(CapabilityError, match="exact cannot take initial states"):
            exact.sample_ising({0: 1.0}, {}, initial_states={0: 1})
        with pytest.raises(ProblemError, match="NaN or infinite"):
            exact.sample_ising({0: float("nan")}, {})


def test_a_backend_without_spins_is_refused_and_closed_again(monkeypatch):
    opened = []
    monkeypatch.setattr(
        sampler, "open_mapped", lambda spec, **_: opened.append(open_backend(spec)) or opened[-1]
    )
    with pytest.raises(CapabilityError, match="hopfield has no spins, its units are amplitude"):
        IsingEqSampler("hopfield")
    assert opened[0].pool is None


def test_a_board_takes_a_model_of_real_numbers():
    """It is scaled and rounded to what the board holds; energies are of the model asked for."""
    model = dimod.BinaryQuadraticModel.from_ising({0: 0.3, 1: -0.2}, {(0, 1): 0.55, (1, 2): -0.4})
    with IsingEqSampler("model://ref-avr64?sweeps=50") as owner:
        found = owner.sample(model, num_reads=20, seed=1)
    assert found.first.energy == pytest.approx(dimod.ExactSolver().sample(model).first.energy)


def test_it_closes_what_it_opened_and_nothing_else():
    with IsingEqSampler("neal") as owner:
        owner.sample_ising({0: 1.0}, {})
    with pytest.raises(BackendError, match="neal is closed"):
        owner.sample_ising({0: 1.0}, {})
    with closing(open_backend("neal")) as backend:
        with IsingEqSampler(backend) as guest:
            guest.sample_ising({0: 1.0}, {})
        assert guest.sample_ising({0: 1.0}, {}, seed=0).first.sample == {0: -1}


class Slow(Null):
    """Notes how many settles run at a time."""

    running = most = 0

    def settle(self, request):
        Slow.running += 1
        Slow.most = max(Slow.most, Slow.running)
        time.sleep(0.01)
        Slow.running -= 1
        return super().settle(request)


def test_calls_from_several_threads_take_turns():
    sampler = IsingEqSampler(Slow())
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: sampler.sample(random_model(n)), range(2, 10)))
    assert Slow.most == 1


def test_the_page_on_dimod_runs_from_top_to_bottom():
    page, space = Path(__file__).parents[2] / "docs" / "dimod.md", {"__name__": "page"}
    text = page.read_text("utf-8")
    for match in re.finditer(r"^```python\n(.*?)^```$", text, re.S | re.M):
        block = "\n" * text.count("\n", 0, match.start(1)) + match[1]
        exec(compile(block, str(page), "exec"), space)
    assert space["best"].energy == space["embedded"].first.energy
