"""What the core samples: Boltzmann's distribution where addresses are exact, and its own chain where not."""

import itertools
import math

import numpy as np
import pytest

from firmware_models.chances import CHANCES
from firmware_models.core import dense, energy
from firmware_models.fast_core import run_batch
from firmware_models.programme import ADDRESSES, SPAN, Leg, Programme


def states(n):
    """All states; bit i of the index is spin i."""
    return [tuple(1 if k >> i & 1 else -1 for i in range(n)) for k in range(2**n)]


def frustrated(n, *, gain, shift=0, sweeps=60, largest=2):
    rng = np.random.default_rng(n)
    return Programme(
        tuple(rng.integers(-largest, largest, n * (n - 1) // 2, endpoint=True).tolist()),
        tuple(rng.integers(-largest, largest, n, endpoint=True).tolist()),
        (0,) * n,
        (Leg(gain, gain, sweeps),),
        shift,
    )


def boltzmann(programme):
    beta = programme.gains[0] / 2**programme.shift * SPAN / ADDRESSES
    J, h = dense(programme), programme.fields
    weights = np.exp([-beta * energy(J, h, s) for s in states(programme.num_units)])
    return weights / weights.sum()


def own_chain(programme):
    """Stationary distribution of a sweep at the first gain, from the table alone."""
    n, J, gain = programme.num_units, dense(programme), programme.gains[0]
    sweep = np.eye(2**n)
    for i in range(n):
        update = np.zeros_like(sweep)
        for k, s in enumerate(states(n)):
            f = programme.fields[i] + sum(J[i][j] * s[j] for j in range(n))
            steps = math.floor(abs(f) * gain / 2**programme.shift + 0.5)
            against = CHANCES[min(ADDRESSES - 1, steps)] / 2**16
            up = 1 - against if f < 0 else against
            update[k, k | 1 << i] += up
            update[k, k & ~(1 << i)] += 1 - up
        sweep = sweep @ update
    return np.linalg.matrix_power(sweep, 4096)[0]


def deviation(programme, expected, *, reads):
    """Return how far χ² of independent reads is from its mean, in standard deviations."""
    n = programme.num_units
    spins = run_batch(programme, np.zeros((1, n), int), seed=11, reads=reads).spins[0]
    counts = np.bincount((spins > 0) @ (1 << np.arange(n)), minlength=2**n)
    order = np.argsort(expected)
    # Rare states are counted together, so that χ² is what it is said to be.
    rare = order[np.cumsum(expected[order]) * reads < 20]
    keep = np.setdiff1d(order, rare)
    seen, due = counts[keep], expected[keep] * reads
    if len(rare) and expected[rare].sum() * reads > 5:
        seen = np.append(seen, counts[rare].sum())
        due = np.append(due, expected[rare].sum() * reads)
    freedom = len(seen) - 1
    assert freedom > 2
    return (((seen - due) ** 2 / due).sum() - freedom) / math.sqrt(2 * freedom)


@pytest.mark.parametrize(("n", "gain"), [(2, 40), (3, 35), (5, 25), (7, 20), (10, 11)])
def test_reads_follow_boltzmann(n, gain):
    """Whole gains at shift 0 hit addresses exactly; 2^−16 of a chance is far below what 60,000 reads tell."""
    programme = frustrated(n, gain=gain)
    assert abs(deviation(programme, boltzmann(programme), reads=60_000)) < 4


def test_another_temperature_would_be_seen():
    programme = frustrated(5, gain=25)
    other = frustrated(5, gain=26)
    assert deviation(programme, boltzmann(other), reads=60_000) > 8


def test_rounded_addresses_follow_their_own_chain():
    """|f| = 1 is 0.53 of an address here and is rounded to 1: β is that much off, and the reads show it."""
    programme = frustrated(4, gain=17, shift=5, sweeps=100, largest=30)
    chain = own_chain(programme)
    assert abs(deviation(programme, chain, reads=60_000)) < 4
    # Half an address is 1/128 of β I, so at most 1/256 of a chance per update.
    assert 0.5 * np.abs(chain - boltzmann(programme)).sum() < programme.num_units / 256


def test_numbers_of_one_read_do_not_follow_each_other():
    """Free coins, updated one after the other: products of two, three and four of them are 0 on average."""
    n = 12
    coins = Programme((0,) * 66, (0,) * n, (0,) * n, (Leg(0, 0, 3),), 0)
    spins = run_batch(coins, np.zeros((20, n), int), seed=2, reads=1000).spins.reshape(-1, n)
    for size in (2, 3, 4):
        for chosen in itertools.combinations(range(n), size):
            mean = spins[:, chosen].prod(axis=1, dtype=int).mean()
            assert abs(mean) < 4.8 / math.sqrt(len(spins)), chosen
