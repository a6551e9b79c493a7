"""The loop: when it stops, what it keeps, and that nothing but the number of reads hangs on why it stopped."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from isingeq.couplings import Edges
from isingeq.errors import CapabilityError, ConfigError
from isingeq.problem import Problem
from isingeq.registry import open_backend
from isingeq.schedule import Annealing
from isingeq.solving import cut_of_energy, energy_of_cut, solve
from isingeq.solving.lowest import Lowest
from isingeq.units import Amplitude, Layer, Spin


def test_chunks_double_and_add_up(guesser, fields):
    found = solve(fields, guesser, reads=21)
    assert [reads for _, reads in guesser.calls] == [1, 1, 2, 4, 8, 5]
    assert len({seed for seed, _ in guesser.calls}) == 6
    assert found.reads == 21
    assert found.stopped == "reads"


def test_a_chunk_is_never_larger_than_memory_likes(monkeypatch, guesser, fields):
    monkeypatch.setattr("isingeq.solving.solver._MOST_SPINS", 4 * 6)
    monkeypatch.setattr("isingeq.solving.solver._LEAST_MOST", 1)
    solve(fields, guesser, reads=10)
    assert [reads for _, reads in guesser.calls] == [1, 1, 2, 4, 2]


def test_why_it_stops_changes_the_number_of_reads_alone(guesser, fields):
    every = solve(fields, guesser, reads=40, seed=7).energies
    few = solve(fields, guesser, reads=13, seed=7)
    np.testing.assert_array_equal(few.energies, every[:13])
    budget = solve(fields, guesser, reads=40, seed=7, budget_s=4 * 11)
    np.testing.assert_array_equal(budget.energies, every[:11])
    target = solve(fields, guesser, reads=40, seed=7, target_energy=every.min())
    np.testing.assert_array_equal(target.energies, every[: target.reads])
    assert not np.array_equal(solve(fields, guesser, reads=40, seed=8).energies, every)


def test_a_target_ends_it_and_full_reads_do_not(guesser, fields):
    found = solve(fields, guesser, reads=64, target_energy=-4)
    assert found.stopped == "target"
    assert found.reads < 64
    assert found.best_energy <= -4
    assert found.as_dict()["biased"]
    whole = solve(fields, guesser, reads=64, target_energy=-4, full_reads=True)
    assert (whole.stopped, whole.reads) == ("reads", 64)
    assert whole.hits == (whole.energies <= -4).sum() > 1
    assert whole.success_probability == whole.hits / 64
    assert not whole.as_dict()["biased"]


def test_an_unreachable_target_is_no_error(guesser, fields):
    found = solve(fields, guesser, reads=32, target_energy=-7)
    assert (found.stopped, found.reads, found.hits) == ("reads", 32, 0)
    assert found.tts99_s is None
    # Clopper–Pearson: 32 misses leave 1 − (0.025)^(1/32) at 95 %.
    most = 1 - 0.025 ** (1 / 32)
    assert found.success_interval == (0.0, pytest.approx(most, rel=1e-12))
    assert found.tts99_s_at_least == pytest.approx(4 * math.log(0.01) / math.log(1 - most))


def test_a_budget_returns_the_best_so_far_and_says_so(guesser, fields):
    found = solve(fields, guesser, reads=1000, budget_s=4 * 10)
    assert found.stopped == "budget"
    assert found.reads == 10
    assert found.best_energy == found.energies.min()
    assert found.wall_s <= 40


def test_one_read_is_made_whatever_the_budget(guesser, fields):
    found = solve(fields, guesser, budget_s=1e-9)
    assert (found.reads, found.stopped) == (1, "budget")


def test_the_first_read_says_nothing_of_the_time_of_others(guesser, fields):
    """Code was still loading: 30 s of 40 are gone, and 2 more reads of 4 s fit."""
    settle = guesser.settle

    def late(request):
        guesser.clock.now += 0 if guesser.calls else 26
        return settle(request)

    guesser.settle = late
    assert solve(fields, guesser, budget_s=40).reads == 3


def test_a_stop_asked_for_ends_it(guesser, fields):
    answers = itertools.chain([False, False], itertools.repeat(True))
    found = solve(fields, guesser, stop=lambda: next(answers))
    assert (found.stopped, found.reads) == ("interrupted", 4)


def test_progress_is_told(guesser, fields):
    seen = []
    found = solve(fields, guesser, reads=8, watch=seen.append)
    assert [p.done for p in seen] == [1, 2, 4, 8]
    assert seen[-1].best_energy == found.best_energy
    assert [p.elapsed_s for p in seen] == [4, 8, 16, 32]


def test_time_per_read_is_that_of_the_largest_chunk(guesser, fields):
    settle = guesser.settle

    def slow_alone(request):
        guesser.clock.now += 100 if request.reads == 1 else 0
        return settle(request)

    guesser.settle = slow_alone
    found = solve(fields, guesser, reads=8)
    assert found.read_cpu_s == found.read_wall_s == 4
    assert found.cpu_s == 200 + 8 * 4


def test_the_lowest_distinct_states_are_kept(guesser, fields):
    found = solve(fields, guesser, reads=64, keep=5)
    np.testing.assert_array_equal(found.state_energies, np.sort(found.state_energies))
    np.testing.assert_array_equal(-found.states.sum(axis=1), found.state_energies)
    assert len(np.unique(found.states, axis=0)) == 5
    assert found.state_energies[0] == found.best_energy


@pytest.mark.parametrize(("mirrored", "count"), [(True, 1), (False, 2)])
def test_a_state_and_its_flip_are_one_where_nothing_tells_them_apart(mirrored, count):
    lowest = Lowest(5, mirrored)
    states = np.array([[1, -1, 1], [-1, 1, -1], [1, -1, 1]])
    lowest.add(np.array([-2.0, -2.0, -2.0]), states)
    _, kept = lowest.arrays()
    assert len(kept) == count
    np.testing.assert_array_equal(kept, states[:count])


def test_a_lower_state_pushes_the_highest_out():
    lowest = Lowest(2, False)
    lowest.add(np.array([3.0, 1.0]), np.array([[1, 1], [1, -1]]))
    lowest.add(np.array([2.0, 4.0]), np.array([[-1, 1], [-1, -1]]))
    energies, states = lowest.arrays()
    assert energies.tolist() == [1.0, 2.0]
    assert states.tolist() == [[1, -1], [-1, 1]]


def test_cut_and_energy_are_two_words_for_one_thing(ring):
    shifted = replace(ring, offset=10.0)
    for problem, constant in ((ring, 0.0), (shifted, 10.0)):
        found = solve(problem, open_backend("exact"), target_energy=energy_of_cut(problem, 4))
        assert found.best_energy == -3 + constant
        assert found.best_cut == cut_of_energy(problem, found.best_energy) == 4
        assert found.as_dict()["target_cut"] == 4
        cut = (found.states[0] != np.roll(found.states[0], 1)).sum()
        assert cut == 4


def test_fields_have_no_cut(fields, guesser):
    assert solve(fields, guesser).best_cut is None
    with pytest.raises(ConfigError, match="no cut"):
        energy_of_cut(fields, 3)


def test_enumeration_is_one_read_that_cannot_fail(ring):
    found = solve(ring, open_backend("exact?beta=0.3"), reads=50, keep=99)
    assert (found.reads, found.stopped, found.best_energy) == (1, "reads", -3)
    assert len(found.states) == 16  # half of 2^5: flips are one
    assert (found.state_energies == -3).sum() == 5


def test_without_a_target_success_is_the_best_energy_found(guesser, fields):
    found = solve(fields, guesser, reads=50)
    assert found.hits == (found.energies == found.energies.min()).sum()
    assert found.as_dict()["success_means"] == "best energy found"


def test_a_target_is_reached_within_rounding_and_no_more(guesser, fields):
    best = solve(fields, guesser, reads=16).best_energy
    assert solve(fields, guesser, reads=16, target_energy=best * (1 + 1e-10)).hits
    assert not solve(fields, guesser, reads=16, target_energy=best * (1 + 1e-7)).hits


def test_a_schedule_given_is_followed_and_told(guesser, fields):
    schedule = Annealing.constant(1.0, 8)
    found = solve(fields, guesser, reads=4, schedule=schedule)
    assert found.schedule == schedule
    assert found.read_cpu_s == 8
    assert found.as_dict()["schedule"] == {"kind": "Annealing", "geometric": [1.0, 1.0, 8]}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"reads": 0}, "reads >= 1"),
        ({"keep": 0}, "keep >= 1"),
        ({"seed": -1}, "seed >= 0"),
        ({"budget_s": 0.0}, "above 0"),
        ({"budget_s": -1.0}, "above 0"),
        ({"budget_s": math.nan}, "above 0"),
        ({"target_energy": math.nan}, "finite"),
        ({"target_energy": -math.inf}, "finite"),
    ],
)
def test_what_makes_no_sense_is_refused(guesser, fields, options, says):
    with pytest.raises(ConfigError, match=says):
        solve(fields, guesser, **options)
    assert guesser.calls == []


def test_batches_and_other_units_are_refused(guesser, fields):
    with pytest.raises(CapabilityError, match="one sample"):
        solve(fields.repeated(2), guesser)
    with pytest.raises(CapabilityError, match="amplitude"):
        solve(Problem((Layer("x", 6, Amplitude()),), (), np.zeros((1, 6))), guesser)


@pytest.mark.parametrize("spec", ["neal?sweeps=20", "exact"])
def test_one_spin_no_edges_and_parts_are_solved_right(spec, fields):
    """One spin, spins without couplings, and a triangle, a ring of five and a loose spin in one problem."""
    backend = open_backend(spec)
    lone = Problem((Layer("s", 1, Spin()),), (), np.full((1, 1), 0.3))
    assert solve(lone, backend, reads=4).best_energy == -0.3
    assert solve(replace(lone, fields=np.zeros((1, 1))), backend, reads=4).best_cut == 0
    i, j = np.array([0, 1, 0, 3, 4, 5, 6, 3]), np.array([1, 2, 2, 4, 5, 6, 7, 7])
    parts = Problem((Layer("s", 9, Spin()),), (Edges(9, i, j, np.ones(8)),), np.zeros((1, 9)))
    assert solve(parts, backend, reads=20).best_cut == 2 + 4
    none = replace(fields, fields=np.zeros((1, 6)))
    found = solve(none, backend, reads=4)
    assert (found.best_energy, found.best_cut, found.success_probability) == (0, 0, 1)
    assert solve(fields, backend, reads=4).best_energy == -6


def test_dense_graphs_go_to_bifurcation_and_others_are_annealed():
    from isingeq.solving.opening import default_spec

    def named(n, share):
        i, j = np.triu_indices(n, 1)
        kept = np.random.default_rng(0).random(i.size) < share
        edges = Edges(n, i[kept], j[kept], np.ones(int(kept.sum())))
        return default_spec(Problem((Layer("s", n, Spin()),), (edges,), np.zeros((1, n))))

    assert [named(200, 1.0), named(200, 0.2)] == ["bifurcation"] * 2
    assert [named(200, 0.03), named(50, 1.0)] == ["metropolis"] * 2
