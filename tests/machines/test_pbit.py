"""P-bits: exact ones are Gibbs samplers; those of finite precision follow their definition bit for bit."""

import itertools
import math

import numpy as np
import pytest
from spin_graphs import BETA, errors_off, fields_of, graph_of

from isingeq.backend import Claim
from isingeq.errors import ConfigError
from isingeq.kernels.colours import grain_of
from isingeq.kernels.pool import Pool
from isingeq.kernels.replica_random import draw, replica_keys, words
from isingeq.machines.gibbs import Gibbs
from isingeq.machines.graph import Graph
from isingeq.machines.pbit import PBit, counts_below, tanh_table
from isingeq.machines.spinning import Task
from isingeq.schedule import Annealing

F = np.float32


@pytest.fixture
def pool():
    pool = Pool(1)
    yield pool
    pool.close()


def field_of_rows(graph, h, i, s):
    """The field on spin i as the kernel sums it: couplings in grains, then h, rounded to float32 twice."""
    entries = slice(graph.starts[i], graph.starts[i + 1])
    J = graph.values[entries].astype(np.float64)
    grain = grain_of(graph.values[entries])
    total = np.rint(J / grain) @ s[graph.neighbours[entries]]
    return F(F(total) * grain + np.float64(F(h)))


def decided(machine, beta, z, word):
    """sgn(t − r), as the module defines t and r."""
    half, bits = 2 ** (machine.tanh_bits - 1), machine.random_bits or 32
    a = np.rint(F(z * F(-beta * half / machine.tanh_range))).clip(1 - half, half - 1)
    t = np.rint(half * np.tanh(a * machine.tanh_range / half)).clip(1 - half, half - 1) / half
    r = (2 * (int(word) >> (32 - bits)) + 1) / 2**bits - 1
    return 1 if r < t else -1


def plain(machine, task):
    """Spins (b, r, n), spin by spin or all at once."""
    b, n = task.h.shape
    keys = replica_keys(np.uint64(task.seed), np.arange(b), task.reads)
    out = task.start.reshape(-1, n).copy()
    for row, key in enumerate(keys):
        s = out[row]
        for sweep, beta in enumerate(task.schedule.betas):
            low, high = words(key, sweep)
            seen = s.copy() if machine.order == "synchronous" else s
            for i in range(n):
                z = field_of_rows(task.graph, task.h[row // task.reads, i], i, seen)
                s[i] = decided(machine, beta, z, draw(np.uint32(low), np.uint32(high), i))
    return out.reshape(b, task.reads, n)


@pytest.mark.parametrize("order", ["sequential", "synchronous"])
@pytest.mark.parametrize(
    ("tanh_bits", "tanh_range", "random_bits"),
    [(8, 4.0, 8), (4, 2.5, 16), (2, 1.0, 1), (12, 6.0, 0)],
)
def test_finite_precision_is_its_definition_bit_for_bit(
    pool, order, tanh_bits, tanh_range, random_bits
):
    machine = PBit(order=order, tanh_bits=tanh_bits, tanh_range=tanh_range, random_bits=random_bits)
    graph = graph_of("groups")
    start = np.random.default_rng(1).choice(np.int8([-1, 1]), (5, 7, 12))
    task = Task(
        graph, fields_of(graph, 5), 7, Annealing((0.2, 0.7, 1.9, 3.1)), 5, pool, start=start
    )
    np.testing.assert_array_equal(machine.run(task).spins, plain(machine, task))


def test_coloured_p_bits_of_finite_precision_take_the_order_of_the_colours(pool):
    """Renumbered so that colours lie one after the other, spin by spin is colour by colour; here they already do."""
    graph = graph_of("groups")
    options = {"tanh_bits": 8, "random_bits": 8}
    task = Task(graph, fields_of(graph), 9, Annealing.constant(BETA, 5), 5, pool)
    coloured, one_by_one = (PBit(order=o, **options).run(task) for o in ("coloured", "sequential"))
    np.testing.assert_array_equal(coloured.spins, one_by_one.spins)
    assert (coloured.details["colours"], one_by_one.details["colours"]) == (3, 12)


@pytest.mark.parametrize(("bits", "random_bits"), list(itertools.product([2, 5, 8], [1, 4, 7, 9])))
def test_counts_are_of_the_random_numbers_below_the_entries(bits, random_bits):
    table = tanh_table(bits, 3.0)
    r = (2 * np.arange(2**random_bits) + 1) / 2**random_bits - 1
    wanted = (r < table[:, None] / 2 ** (bits - 1)).sum(axis=1)
    np.testing.assert_array_equal(counts_below(table, bits, random_bits), wanted)
    assert (wanted[-1] == 2**random_bits) == (random_bits < bits - 1)


def test_tables_are_odd_and_never_full():
    table = tanh_table(8, 4.0)
    assert table.size == 255
    np.testing.assert_array_equal(table, -table[::-1])
    assert table[127 + 32] == round(128 * math.tanh(1.0))
    assert table.max() == 127
    assert counts_below(table, 8, 32)[[0, -1]].tolist() == [2**24, 2**32 - 2**24]


def test_inputs_beyond_the_table_saturate(pool):
    """Beyond its range a table of 5 bits still lets one in 32 p-bits stand against whatever input."""
    graph = Graph.of(2, *np.zeros((3, 0), int))
    spins = (
        PBit(tanh_bits=5)
        .run(Task(graph, np.array([[8.0, -1e6]]), 20_000, Annealing.constant(1.0, 1), 3, pool))
        .spins[0]
    )
    share = (spins == np.array([1, -1])).mean(axis=0)
    assert (np.abs(share - 1 / 32) < 5 * math.sqrt(1 / 32 / 20_000)).all()


def test_fine_precision_comes_close_to_boltzmann_and_coarse_does_not(pool):
    graph = graph_of("ring")
    h = fields_of(graph)
    task = Task(graph, h, 6000, Annealing.constant(BETA, 40), 4, pool)
    fine, coarse = (
        PBit(beta=BETA, tanh_bits=bits, random_bits=16).run(task).spins for bits in (14, 3)
    )
    assert errors_off(fine, graph, h, BETA) < 5
    assert errors_off(coarse, graph, h, BETA) > 5


@pytest.mark.parametrize("order", ["coloured", "sequential"])
def test_exact_p_bits_sample_the_boltzmann_distribution(pool, order):
    graph = graph_of("groups")
    h = fields_of(graph)
    machine = PBit(beta=BETA, order=order)
    assert machine.claim is Claim.BOLTZMANN
    outcome = machine.run(Task(graph, h, 6000, Annealing.constant(BETA, 40), 4, pool))
    assert errors_off(outcome.spins, graph, h, BETA) < 5


def test_coloured_exact_p_bits_are_block_gibbs(pool):
    graph = graph_of("groups")
    task = Task(graph, fields_of(graph), 50, Annealing((0.1, 0.5, 2.0)), 4, pool, trace=True)
    one, other = PBit().run(task), Gibbs().run(task)
    np.testing.assert_array_equal(one.spins, other.spins)
    np.testing.assert_array_equal(one.trace.energy, other.trace.energy)


def test_few_random_bits_draw_from_few_numbers(pool):
    """One bit, u = ¼ or ¾: against a field where e / (1 + e) < ¼ a p-bit never stands."""
    graph = Graph.of(2, *np.zeros((3, 0), int))
    h = np.array([[0.5 * math.log(3.1), 0.5 * math.log(2.9)]])
    spins = (
        PBit(random_bits=1).run(Task(graph, h, 4000, Annealing.constant(1.0, 1), 3, pool)).spins[0]
    )
    assert (spins[:, 0] == -1).all()
    assert abs((spins[:, 1] == 1).mean() - 0.5) < 5 * 0.5 / math.sqrt(4000)


def test_synchronous_p_bits_swing_between_two_states(pool):
    """Two that want to agree follow each other for ever; one after the other they settle at once."""
    graph = Graph.of(2, np.array([0]), np.array([1]), np.array([-1.0]))
    start = np.tile(np.int8([1, -1]), (1, 30, 1))
    task = Task(
        graph, np.zeros((1, 2)), 30, Annealing.constant(40.0, 7), 1, pool, start=start, trace=True
    )
    swinging = PBit(order="synchronous").run(task)
    np.testing.assert_array_equal(swinging.spins, -start)
    assert (swinging.trace.details["flips"] == 1).all()
    assert (swinging.trace.energy == 1).all()
    assert (PBit().run(task).trace.energy == -1).all()


@pytest.mark.parametrize(
    ("options", "claim"),
    [
        ({}, Claim.GROUND_STATE),
        ({"beta": 0.5}, Claim.BOLTZMANN),
        ({"beta": 0.5, "random_bits": 32}, Claim.BOLTZMANN),
        ({"beta": 0.5, "random_bits": 24}, Claim.NONE),
        ({"beta": 0.5, "tanh_bits": 16}, Claim.NONE),
        ({"beta": 0.5, "order": "synchronous"}, Claim.NONE),
        ({"order": "synchronous"}, Claim.NONE),
        ({"random_bits": 8}, Claim.GROUND_STATE),
        ({"random_bits": 7}, Claim.NONE),
        ({"tanh_bits": 8}, Claim.NONE),
        ({"tanh_bits": 10, "random_bits": 8}, Claim.GROUND_STATE),
        ({"tanh_bits": 9, "random_bits": 8}, Claim.NONE),
    ],
)
def test_claims_are_what_the_precision_allows(options, claim):
    assert PBit(**options).claim is claim


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sweeps": 0}, "sweeps >= 1"),
        ({"beta": math.nan}, "beta >= 0"),
        ({"reverse": -0.1}, "0 <= reverse"),
        ({"order": "random"}, "coloured, sequential, synchronous"),
        ({"tanh_bits": 1}, "tanh_bits 0 or 2 to 16"),
        ({"tanh_bits": 17}, "tanh_bits 0 or 2 to 16"),
        ({"random_bits": 33}, "random_bits 0 to 32"),
        ({"tanh_range": 0.0}, "tanh_range 0 must"),
        ({"tanh_range": math.inf}, "tanh_range inf must"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        PBit(**options)
