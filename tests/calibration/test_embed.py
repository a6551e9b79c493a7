import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from board import Board
from chips import Local, chip, lattice, ring
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import LAYERS, couplings, nudges, problem

from calibration import Scale, reports
from calibration import embed as embed_module
from calibration.embed import Embed
from calibration.embedding import Embedding, Pairs
from calibration.embedding.placement import Placement
from calibration.embedding.strength import rule
from isingeq.backend import Claim, SettleRequest
from isingeq.backends.exact import exact
from isingeq.backends.metropolis import metropolis
from isingeq.backends.simulator import hopfield
from isingeq.couplings import Dense, Edges
from isingeq.errors import CapabilityError, ConfigError
from isingeq.problem import Problem, lower
from isingeq.schedule import Annealing
from isingeq.terms import Clamp, LinearNudge
from isingeq.units import Layer, Spin

BETA = Annealing.constant(0.8, 1)
SMALL = lattice(4, 4)
HELD = Clamp(np.arange(7) == 3, np.array([[1.0], [-1.0], [1.0]]) * np.ones(7))


def embedded(inner=None, where=SMALL, **options):
    return Embed(Local(inner or exact(), where), **options)


def told(found):
    return reports(found)[0]


def moments(found):
    states, weights = found.states, found.weights
    return np.einsum("br,brn,brm->bnm", weights, states, states), found.mean()


@pytest.mark.parametrize(
    "terms", [(), nudges(), (HELD,), (*nudges(), HELD)], ids=["free", "nudged", "held", "all"]
)
@pytest.mark.parametrize("where", [SMALL, chip("chimera", 1, 2, 4)], ids=["kings", "chimera"])
def test_with_strong_chains_the_distribution_is_that_of_the_problem_asked(where, terms):
    asked = SettleRequest(problem(), terms, schedule=BETA, precision="float64")
    found, straight = (
        embedded(where=where, chain_strength=12.0).settle(asked),
        exact().settle(asked),
    )
    for got, wanted in zip(moments(found), moments(straight), strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-6)
    assert told(found)["broken_chains"] < 1e-6
    assert told(found)["found"] == "search"


def test_weak_chains_break_are_counted_and_repaired():
    asked = SettleRequest(problem(reach=2.0), schedule=BETA, precision="float64")
    embed = embedded(chain_strength=0.3)
    found = embed.settle(asked)
    below = exact().settle(embed.inner.seen[-1])
    chains = embed.embedding(asked.problem).chains
    broken = [np.abs(below.states[..., chain].sum(axis=-1)) < len(chain) for chain in chains]
    wanted = np.einsum("br,nbr->", below.weights, broken) / (len(chains) * asked.problem.batch)
    assert told(found)["broken_chains"] == pytest.approx(wanted)
    assert wanted > 0.05
    for unit, chain in enumerate(chains):
        part = below.states[..., chain]
        ties = part.sum(axis=-1) == 0
        most = np.where(ties, part[..., 0], np.sign(part.sum(axis=-1)))
        np.testing.assert_array_equal(found.states[..., unit], most)
    assert np.abs(found.mean() - exact().settle(asked).mean()).max() > 0.01


def test_ground_states_are_those_of_the_problem_asked():
    asked = SettleRequest(
        problem(), nudges(), schedule=Annealing.constant(60.0, 1), precision="float64"
    )
    found, straight = embedded().settle(asked), exact().settle(asked)
    np.testing.assert_allclose(found.mean(), straight.mean(), atol=1e-6)
    energy = np.einsum("br,br->b", found.weights, found.energies)
    np.testing.assert_allclose(energy, straight.energies.min(axis=1), atol=1e-6)


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=15)
def test_intact_chains_have_the_energy_of_the_problem(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 8))
    i, j = np.triu_indices(n, 1)
    kept = rng.random(i.size) < 0.7
    first = Edges(n, i[kept], j[kept], rng.normal(size=int(kept.sum())))
    second = Edges(n, i[:1], j[:1], rng.normal(size=1))
    asked = Problem(
        (Layer("all", n, Spin()),), (first, second), rng.normal(size=(2, n)), offset=0.4
    )
    embed = embedded(metropolis(sweeps=2), chip("chimera", 3, 3, 4), seed=seed)
    terms = (LinearNudge(rng.normal(size=(2, n))),)
    start = np.where(rng.random((2, 3, n)) < 0.5, -1.0, 1.0)
    embed.settle(SettleRequest(asked, terms, reads=3, initial=start))
    below = embed.inner.seen[-1]
    np.testing.assert_allclose(
        below.problem.energy(below.initial), asked.energy(start), rtol=1e-9, atol=1e-9
    )
    np.testing.assert_allclose(
        below.terms[0].energy(below.initial), terms[0].energy(start), rtol=1e-9, atol=1e-9
    )
    chains = embed.embedding(asked).chains
    for unit, chain in enumerate(chains):
        assert (below.initial[..., chain] == start[..., unit : unit + 1]).all()


def test_couplings_are_shared_by_all_couplers_between_two_chains():
    embed = embedded()
    embed.settle(SettleRequest(problem()))
    below = embed.inner.seen[-1].problem
    embedding, (chip_edges,) = embed.embedding(problem()), below.couplings
    owner = embedding.owners(SMALL)
    asked = lower(problem())
    J = {(int(i), int(j)): v for i, j, v in zip(asked.i, asked.j, asked.J, strict=True)}
    sums, sizes = {}, {}
    for i, j, value in zip(chip_edges.i, chip_edges.j, chip_edges.J, strict=True):
        pair = tuple(sorted((int(owner[i]), int(owner[j]))))
        if pair[0] == pair[1]:
            assert value == -embed.strength.value
        else:
            sums[pair] = sums.get(pair, 0) + value
            sizes.setdefault(pair, set()).add(float(value))
    assert sums == pytest.approx(J)
    assert all(len(values) == 1 for values in sizes.values())


def test_what_fits_goes_below_unchanged():
    straight = ring(7, 3)
    embed = embedded(where=straight)
    asked = SettleRequest(problem(), nudges(), schedule=BETA)
    found = embed.settle(asked)
    assert embed.inner.seen == [asked]
    np.testing.assert_array_equal(found.weights, exact().settle(asked).weights)
    assert told(found)["found"] == "identity"
    assert told(found)["chain_strength"] is None
    assert told(found)["mean_chain"] == 1


def test_the_strength_is_a_power_of_two_doubled_when_more_is_needed():
    embed = embedded()
    shapes = {}
    for reach in (0.5, 0.2, 0.6, 4.0, 0.5):
        asked = problem(reach=reach)
        shapes[reach] = told(embed.settle(SettleRequest(asked)))
    J = lower(problem(reach=0.5)).J
    first = shapes[0.2]["chain_strength"]
    assert rule(J, 7) == pytest.approx(1.414 * math.sqrt((J**2).mean()) * math.sqrt(2 * J.size / 7))
    assert rule(J, 7) <= first < 2 * rule(J, 7)
    assert math.log2(first).is_integer()
    assert shapes[0.2]["num_rechosen"] == 0
    last = shapes[4.0]
    assert last["chain_strength"] >= rule(lower(problem(reach=4.0)).J, 7)
    assert last["num_rechosen"] == math.log2(last["chain_strength"] / first) > 1
    assert shapes[0.5]["chain_strength"] == last["chain_strength"]
    assert not last["fixed"]


def test_couplings_of_zero_choose_no_strength():
    embed = embedded()
    nothing = Problem(LAYERS, couplings(reach=0.0), np.zeros((1, 7)))
    assert told(embed.settle(SettleRequest(nothing)))["chain_strength"] is None
    assert embed.strength.value is None
    assert told(embed.settle(SettleRequest(problem())))["num_rechosen"] == 0


def test_a_strength_given_stays():
    embed = embedded(chain_strength=1.5)
    for reach in (0.5, 4.0):
        found = told(embed.settle(SettleRequest(problem(reach=reach))))
        assert (found["chain_strength"], found["fixed"], found["num_rechosen"]) == (1.5, True, 0)


@pytest.mark.parametrize("strength", [0.0, -1.0, math.inf, math.nan])
def test_a_strength_that_makes_no_sense_is_refused(strength):
    with pytest.raises(ConfigError, match="chain strength is above 0 and finite"):
        embedded(chain_strength=strength)


def test_couplings_below_keep_their_version_until_values_change():
    embed = embedded()
    shared = couplings()
    for fields in (1, 2):
        embed.settle(SettleRequest(problem(fields, shared=shared)))
    copies = tuple(replace(part) for part in shared)
    embed.settle(SettleRequest(problem(shared=copies)))
    embed.settle(SettleRequest(problem(2)))
    versions = [request.problem.version for request in embed.inner.seen]
    assert versions[0] == versions[1] == versions[2] != versions[3]
    assert len({request.problem.structure for request in embed.inner.seen}) == 1


def test_an_embedding_is_found_once_per_structure(monkeypatch):
    calls = []
    genuine = embed_module.embed
    monkeypatch.setattr(
        embed_module, "embed", lambda *given: calls.append(given) or genuine(*given)
    )
    embed = embedded()
    embed.suggest_schedule(problem())
    for reach in (0.3, 0.6):
        embed.settle(SettleRequest(problem(reach=reach)))
    other = Problem(LAYERS, couplings()[:1], np.zeros((1, 7)))
    embed.settle(SettleRequest(other))
    embed.settle(SettleRequest(problem()))
    assert len(calls) == 2


def test_single_precision_stays_single():
    embed = embedded(metropolis(sweeps=3))
    found = embed.settle(SettleRequest(problem(kind=np.float32), reads=4, seed=3))
    assert embed.inner.seen[-1].problem.fields.dtype == np.float32
    assert found.states.dtype == metropolis(sweeps=3).settle(found.request).states.dtype
    assert set(np.unique(found.states)) <= {-1.0, 1.0}


def test_threads_share_one_embedding():
    embed = embedded(metropolis(sweeps=20, beta=0.7), lattice(9, 9))
    shared = couplings()
    requests = [SettleRequest(problem(k, shared=shared), reads=3, seed=k) for k in range(4)]
    alone = [embed.settle(request).states for request in requests]
    with ThreadPoolExecutor(4) as pool:
        beside = [found.states for found in pool.map(embed.settle, requests)]
    for one, other in zip(alone, beside, strict=True):
        np.testing.assert_array_equal(one, other)


def test_nothing_is_claimed_and_no_pair_is_missing():
    c = embedded(
        where=SMALL.without(np.arange(16) == 5, np.zeros(SMALL.num_edges, np.bool_))
    ).capabilities
    assert c.claim is Claim.NONE
    assert c.connectivity is None
    assert c.max_units == 15


def test_it_stands_above_scale_which_sees_the_chains():
    inner = Local(Board(exact(), 1.0, 4.0, step=None), SMALL)
    found = Embed(Scale(inner), chain_strength=6.0).settle(SettleRequest(problem(), schedule=BETA))
    assert [report["layer"] for report in reports(found)] == ["embed", "scale"]
    J = inner.seen[-1].problem.couplings[0].J
    assert np.abs(J).max() == pytest.approx(6.0 * reports(found)[1]["factor"])


def test_what_couples_every_pair_has_nothing_to_embed():
    with pytest.raises(
        CapabilityError, match="exact couples every pair: there is nothing to embed"
    ):
        Embed(exact())
    with pytest.raises(CapabilityError, match="only spins are mapped"):
        Embed(hopfield())


def test_a_problem_that_does_not_fit_is_refused_and_others_go_on():
    embed = embedded()
    wide = Problem(
        (Layer("a", 8, Spin()), Layer("b", 8, Spin())),
        (Dense((0, 8), (8, 16), np.ones((8, 8))),),
        np.zeros((1, 16)),
    )
    with pytest.raises(
        CapabilityError,
        match=r"8 x 8 units, all coupled, cannot be embedded in a kings chip of 4 x 4",
    ):
        embed.settle(SettleRequest(wide))
    with pytest.raises(CapabilityError, match="takes at most 16"):
        embed.settle(SettleRequest(Problem((Layer("a", 17, Spin()),), (), np.zeros((1, 17)))))
    assert told(embed.settle(SettleRequest(problem())))["found"] == "search"


def test_a_chain_goes_with_most_of_its_units_ties_with_its_first():
    pairs = Pairs(2, np.array([0]), np.array([1]))
    line = lattice(1, 7, "square")
    embedding = Embedding.of([[1, 0, 2], [4, 3, 5, 6]], "search")
    placed = Placement.of(embedding, line, pairs, np.array([0]))
    states = np.array(
        [[1, 1, -1, 1, -1, -1, 1], [-1, -1, -1, -1, 1, 1, -1], [1, -1, -1, 1, 1, 1, 1.0]]
    )
    repaired, broken = placed.logical(states)
    np.testing.assert_array_equal(repaired, [[1, -1], [-1, 1], [-1, 1]])
    np.testing.assert_array_equal(broken, [[True, True], [False, True], [True, False]])
