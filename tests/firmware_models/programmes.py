"""Random programmes for the integer core, and the hardest ones."""

from dataclasses import dataclass

import numpy as np

from firmware_models.chances import CHANCES
from firmware_models.core import run, stream
from firmware_models.programme import COUPLING_MAX, FIELD_MAX, GAIN_MAX, Leg, Programme


@dataclass(frozen=True)
class Case:
    programme: Programme
    deltas: tuple
    start: tuple | None
    seed: int
    sample: int
    read: int


def ints(rng, low, high, size):
    return tuple(rng.integers(low, high, size, endpoint=True).tolist())


def below(rng, limit):
    """A bound up to a limit, small ones as often as large ones."""
    return int(limit ** rng.uniform())


def random_case(rng):
    """A programme of any range; most are warm in the end, since where all is frozen little can be told apart."""
    n = int(rng.integers(1, 14))
    coupling, field, delta = (below(rng, limit) for limit in (COUPLING_MAX, FIELD_MAX, FIELD_MAX))
    fields = ints(rng, -field, field, n)
    room = [min(delta, FIELD_MAX - abs(h)) for h in fields]
    deltas = tuple(int(rng.integers(-r, r, endpoint=True)) for r in room)
    shift = int(rng.integers(16))
    typical = np.mean(np.abs(np.add(fields, deltas))) + coupling * np.sqrt(n - 1)
    address = below(rng, 1000) if rng.uniform() < 0.8 else GAIN_MAX
    gain = int(np.clip(address * 2**shift / max(typical, 1), 1, GAIN_MAX / 2))
    legs = tuple(
        Leg(*ints(rng, 0, 2 * gain, 2), int(rng.integers(1, 8))) for _ in range(rng.integers(0, 4))
    )
    programme = Programme(
        couplings=ints(rng, -coupling, coupling, n * (n - 1) // 2),
        fields=fields,
        clamps=tuple(rng.choice([-1, 0, 0, 0, 0, 0, 1], n).tolist()),
        legs=legs,
        shift=shift,
    )
    start = tuple(rng.choice([-1, 1], n).tolist()) if rng.uniform() < 0.5 else None
    return Case(programme, deltas, start, *ints(rng, 0, 2**32 - 2, 3))


def random_cases(count, seed):
    rng = np.random.default_rng(seed)
    return [random_case(rng) for _ in range(count)]


def hardest(n, *, sign=1, shift=15):
    """Everything at its limit: the largest local field times the largest gain."""
    pairs = n * (n - 1) // 2
    programme = Programme(
        couplings=(-sign * COUPLING_MAX,) * pairs,
        fields=(FIELD_MAX - 5,) * n,
        clamps=(0,) * n,
        legs=(Leg(GAIN_MAX, 0, 3), Leg(0, GAIN_MAX, 4)),
        shift=shift,
    )
    return Case(programme, (5,) * n, (-sign,) * n, 1, 0, 0)


def ties():
    """One unit each, whose random number is the very chance: it goes along with its field."""
    cases = []
    for read in range(4000):
        numbers = stream(9, 0, read)
        next(numbers)
        number = next(numbers) >> 16
        if number in CHANCES[:300]:
            field = CHANCES.index(number)
            programme = Programme((), (field,), (0,), (Leg(1, 1, 1),), 0)
            cases.append(Case(programme, (0,), None, 9, 0, read))
    return cases


def roundings():
    """Half an address and less at every shift: coins, but for whoever rounds with a sign or in 16 bits."""
    return [
        Case(Programme((), (1,), (0,), (Leg(gain, gain, 1),), shift), (0,), None, 1, 0, read)
        for shift in range(16)
        for gain in (2**shift // 2, max(2**shift // 2 - 1, 0))
        for read in range(4)
    ]


def steep():
    """Legs whose rise times sweep goes beyond 16 bits, down and up, warm all the way."""
    rng = np.random.default_rng(8)
    n = 12
    legs = (Leg(0, 65000, 4), Leg(65000, 30000, 6)), (Leg(65535, 25000, 5), Leg(25000, 65535, 6))
    return [
        Case(
            Programme(ints(rng, -25, 25, n * (n - 1) // 2), (0,) * n, (0,) * n, legs[k % 2], 15),
            ints(rng, -9, 9, n),
            None,
            5,
            k,
            0,
        )
        for k in range(16)
    ]


def long():
    """More sweeps than a byte counts."""
    rng = np.random.default_rng(8)
    n = 13
    programme = Programme(
        ints(rng, -9, 9, n * (n - 1) // 2),
        ints(rng, -9, 9, n),
        (0,) * n,
        (Leg(0, 30, 300), Leg(30, 7, 100)),
        2,
    )
    return Case(programme, (0,) * n, None, 5, 0, 0)


def corners():
    """What random programmes seldom meet."""
    limits = [
        hardest(n, sign=sign, shift=shift)
        for n in (1, 2, 60)
        for sign in (1, -1)
        for shift in (0, 3, 15)
    ]
    return [*limits, *ties(), *roundings(), *steep(), long()]


def oracle(case):
    read = run(
        case.programme,
        seed=case.seed,
        sample=case.sample,
        read=case.read,
        deltas=case.deltas,
        start=case.start,
    )
    return read.energy, read.spins
