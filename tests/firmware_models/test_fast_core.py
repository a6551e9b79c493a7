"""The compiled twin equals the definition, whatever the batch."""

import numpy as np
import pytest
from programmes import corners, hardest, oracle, random_cases

from firmware_models.core import run
from firmware_models.fast_core import run_batch
from firmware_models.programme import Leg, Programme
from isingeq.errors import CapabilityError


def twin(case):
    start = None if case.start is None else np.array(case.start)[None, None]
    result = run_batch(
        case.programme,
        np.array([case.deltas]),
        seed=case.seed,
        reads=1,
        start=start,
        first_sample=case.sample,
        first_read=case.read,
    )
    return int(result.energies[0, 0]), tuple(result.spins[0, 0].tolist())


def test_a_thousand_programmes_bit_for_bit():
    cases = random_cases(1100, seed=5) + corners()
    assert [twin(case) for case in cases] == [oracle(case) for case in cases]


@pytest.mark.parametrize("shift", [0, 3, 15])
@pytest.mark.parametrize("sign", [1, -1])
def test_everything_at_its_limit(sign, shift):
    for n in (1, 2, 60, 255):
        case = hardest(n, sign=sign, shift=shift)
        if n < 255:
            assert twin(case) == oracle(case)
        else:
            assert abs(twin(case)[0]) <= 255 * 32767 + 127 * 255 * 127


def batch():
    rng = np.random.default_rng(3)
    programme = Programme(
        tuple(rng.integers(-60, 60, 15).tolist()),
        tuple(rng.integers(-90, 90, 6).tolist()),
        (0, 1, 0, 0, 0, 0),
        (Leg(2, 40, 5),),
        4,
    )
    return programme, rng.integers(-50, 50, (4, 6)), rng.choice([-1, 1], (4, 3, 6))


@pytest.mark.parametrize("given", [False, True])
def test_a_batch_is_its_reads_one_by_one(given):
    programme, deltas, start = batch()
    result = run_batch(programme, deltas, seed=7, reads=3, start=start if given else None)
    assert result.spins.dtype == np.int8
    for b in range(4):
        for r in range(3):
            first = start[b, r].tolist() if given else None
            alone = run(programme, seed=7, sample=b, read=r, deltas=deltas[b].tolist(), start=first)
            assert tuple(result.spins[b, r].tolist()) == alone.spins
            assert result.energies[b, r] == alone.energy


def test_a_batch_may_be_split_anywhere():
    programme, deltas, _ = batch()
    whole = run_batch(programme, deltas, seed=7, reads=5)
    part = run_batch(programme, deltas[1:3], seed=7, reads=2, first_sample=1, first_read=2)
    assert np.array_equal(whole.spins[1:3, 2:4], part.spins)
    assert np.array_equal(whole.energies[1:3, 2:4], part.energies)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"deltas": np.zeros((2, 5), int)}, r"deltas \(2, 5\)"),
        ({"deltas": np.full((2, 6), 32760)}, "field with its delta"),
        ({"deltas": np.full((2, 6), -32768)}, "delta -32768"),
        ({"start": np.ones((2, 4, 6), int)}, r"start \(2, 4, 6\)"),
        ({"start": np.zeros((2, 3, 6), int)}, "no spin"),
        ({"seed": -1}, "seed, sample or read -1"),
        ({"first_read": 2**32 - 2}, "last sample or read"),
    ],
)
def test_a_batch_out_of_range_is_refused(asked, told):
    programme, _, _ = batch()
    asked = {"deltas": np.zeros((2, 6), int), "seed": 1, "reads": 3, **asked}
    with pytest.raises(CapabilityError, match=told):
        run_batch(programme, asked.pop("deltas"), **asked)
