"""The rows that a run must have, by the definition of the core."""

from host import COUPLINGS, FIELDS, LEGS, N

from firmware_models import core
from firmware_models.programme import Leg, Programme

SHIFT = 4
SEED = 7
SAMPLE = 100
UP, DOWN = (Leg(*leg) for leg in LEGS.tolist())


def oracle(sample, read, *, fields, start=None, clamps=(0,) * N, legs=(UP, DOWN), sign=1):
    programme = Programme(
        tuple((sign * COUPLINGS).tolist()), tuple((sign * fields).tolist()), clamps, legs, SHIFT
    )
    return core.run(programme, seed=SEED, sample=sample, read=read, start=start).spins


def expected(num_slots, reads, *, sample=SAMPLE, fields=FIELDS, starts=(None,) * 3, **more):
    return [
        [oracle(sample + k, r, fields=fields[k], start=starts[k], **more) for r in range(reads)]
        for k in range(num_slots)
    ]
