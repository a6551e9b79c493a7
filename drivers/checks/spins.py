"""Whether the spins do what their couplings and fields tell them.

E = ±(Σ h s + Σ J s s)      the sign is the device's own; β per count of energy

What is asked for lies within the ranges, schedules and slots that the descriptor declares; couplings or fields of one
sign alone will do.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from drivers.board import Board
from drivers.checks.expecting import NotTestedError, expect
from drivers.descriptor import Descriptor, Integers
from drivers.job import Job
from drivers.legs import legs_of
from drivers.parts import settle_part
from drivers.wire.constants import RESET_MAGIC, Opcode
from drivers.wire.requests import Guarded
from isingeq.errors import CapabilityError

Ints = NDArray[np.int64]
_MOST_SPINS = 32
_READS = 8
_SIGMAS = 5.0
_FEW = 32
"""Spins that may be the same for another seed."""
_ALIGNED = 0.95
"""Of what the readout errors that a device owns up to leave."""
_COLD, _LUKEWARM = 8.0, 3.0
"""β times the largest coupling or field: the wrong side has a chance of exp(−16); or, at the least, of exp(−6)."""


def balance(board: Board) -> str:
    """Let free spins run at β = 0: as many are up as down."""
    d = board.session.descriptor
    n = _size(d)
    moving = _moving(d, n)
    slots = d.slots(n)
    reads = max(1, min(d.rows(n) // slots, d.limits.reads))
    slots = min(slots, d.rows(n))
    spins = board.settle(_job(d, np.zeros((slots, n), np.int64), np.zeros(2), reads=reads))
    free = spins[..., moving].reshape(-1, len(moving))
    offs = free.sum(axis=0) / np.sqrt(len(free))
    worst = int(np.abs(offs).argmax())
    expect(
        abs(offs[worst]) <= _SIGMAS,
        f"spin {moving[worst]} is {offs[worst]:+.1f} sigma off in {len(free)} rows",
    )
    off = float(free.sum()) / np.sqrt(free.size)
    expect(abs(off) <= _SIGMAS, f"mean {free.mean():+.4f} of {free.size} spins, {off:+.1f} sigma")
    expect(len(free) == 1 or bool((free != free[0]).any()), f"all {len(free)} rows are the same")
    return f"mean {free.mean():+.4f} of {free.size} spins, {off:+.1f} sigma"


def sign(board: Board) -> str:
    """Put a field on every spin: up in one slot and down in another, as far as there are such fields."""
    d = board.session.descriptor
    n, pulls = _size(d), _pulls(d.field)
    fields = np.repeat(pulls[:, None], n, axis=1)
    betas = np.full(10, _cold(d, abs(pulls[0])))
    spins = _settled(board, _job(d, fields, betas, reads=_reads(d, n, len(pulls))))
    obeyed = spins * np.sign(-d.update.energy_sign * fields)[:, None] > 0
    share = float(obeyed[..., _moving(d, n)].mean())
    way = "down" if d.update.energy_sign > 0 else "up"
    expect(share >= _least(d), f"{share:.1%} of the spins go {way} in a field that is up")
    only = "" if len(pulls) > 1 else f", fields from {d.field.low} to {d.field.high} only"
    return f"field up, spin {way}: {share:.1%}{only}"


def magnet(board: Board) -> str:
    """Cool a magnet slowly: coupled spins end up alike, or apart where couplings of that sign are all there are."""
    d = board.session.descriptor
    n = _size(d)
    (pairs, works), met = _live(d, n), []
    for couplings, state in _magnets(d, n):
        betas = np.linspace(0.05, 1, 200) * _cold(d, int(np.abs(couplings).max()))
        fields = np.zeros((1, n), np.int64)
        job = _job(d, fields, betas, reads=_reads(d, n, 1), couplings=couplings)
        i, j = pairs[works & (couplings != 0)].T
        spins = _settled(board, job) * state
        met.append(spins[..., i] == spins[..., j])
    num_pairs, found = sum(m.shape[-1] for m in met), np.concatenate([m.ravel() for m in met])
    share, way = (
        float(found.mean()),
        "aligned" if len(met) == 1 and (state > 0).all() else "opposed",
    )
    expect(share >= _least(d, pairs=True), f"{share:.1%} of {num_pairs} pairs are {way}")
    return f"{share:.1%} of {num_pairs} pairs {way}"


def given_start(board: Board) -> str:
    """Start a cold magnet in one of its two best states, and in the other: it stays there."""
    d = board.session.descriptor
    if not d.schedule.reverse:
        raise NotTestedError("this device starts from no given state")
    n = _size(d)
    couplings, state = next(_magnets(d, n))
    starts = np.stack([state, -state]).astype(np.int8)
    job = _job(
        d, np.zeros((2, n), np.int64), np.full(5, _cold(d, int(np.abs(couplings).max()))),
        reads=_reads(d, n, 2), couplings=couplings,
    )  # fmt: skip
    spins = _settled(board, replace(job, starts=starts, random=False))
    pairs, works = _live(d, n)
    coupled = np.unique(pairs[works & (couplings != 0)])
    share = float((spins == starts[:, None])[..., coupled].mean())
    expect(share >= _least(d), f"{share:.1%} of the spins are where they were put")
    return f"{share:.1%} stay where they were put"


def held(board: Board) -> str:
    """Hold every other spin against a strong field."""
    d = board.session.descriptor
    if not d.features.clamp:
        raise NotTestedError("this device holds no spins")
    n, pulls = _size(d), _pulls(d.field)
    fields = pulls[np.arange(n) // 2 % len(pulls)][None]
    starts = (d.update.energy_sign * np.sign(fields)).astype(np.int8)
    clamps = np.arange(n) % 2 == 0
    job = _job(d, fields, np.full(10, _cold(d, abs(pulls[0]))), reads=_reads(d, n, 1))
    spins = _settled(board, replace(job, starts=starts, clamps=clamps))
    stays = (spins == starts)[0][:, _moving(d, n)].mean(axis=0)
    mask = clamps[_moving(d, n)]
    kept, left = _mean(stays[mask]), _mean(1 - stays[~mask])
    expect(kept >= _least(d), f"{kept:.1%} of the held spins were held")
    expect(left >= _least(d), f"{left:.1%} of the spins beside them were free")
    return f"{kept:.1%} held, {left:.1%} beside them free"


def repeats(board: Board) -> str:
    """Run the same twice: the same rows. Run with another seed: other rows."""
    job = _glass(board)
    d = board.session.descriptor
    moving = _moving(d, _size(d))
    first = board.settle(job)
    again = board.settle(job)
    differ = int((first != again).any(axis=-1).sum())
    expect(not differ, f"{differ} of {first[..., 0].size} rows differ for the same seed")
    other = board.settle(_glass(board, seed=12))
    few = first[..., moving].size < _FEW
    expect(few or bool((other != first).any()), "another seed gives the same rows")
    return f"{first[..., 0].size} rows the same"


def split(board: Board) -> str:
    """Run a batch at once, and cut over other slots: the same rows."""
    job = _glass(board)
    k = len(job.fields)
    if k < 2:
        raise NotTestedError("this device has one slot")
    whole = board.settle(job)
    cut = 1 + k // 3
    parts = [board.settle(job.part(0, cut)), board.settle(job.part(cut, k))]
    differ = int((np.concatenate(parts) != whole).any(axis=-1).sum())
    expect(not differ, f"{differ} of {whole[..., 0].size} rows depend on how the batch is cut")
    return f"{k} samples as {cut} + {k - cut}"


def reset(board: Board) -> str:
    """Reset the board behind the back of the job that follows: it is noticed, and all is loaded again."""
    job = _glass(board) if board.session.descriptor.update.seeded else None
    before = None if job is None else board.settle(job)
    boot, resets = board.session.welcome.boot, board.incidents["resets"]
    started = board.session.transport.now()
    board.session.ask(Opcode.RESET, Guarded(RESET_MAGIC))
    after = board.settle(_glass(board, seeded=False) if job is None else job)
    took_s = board.session.transport.now() - started
    expect(board.incidents["resets"] > resets, "nobody noticed")
    expect(board.session.welcome.boot != boot, "the boot id is still the same")
    expect(before is None or bool((after == before).all()), "the rows are others than before")
    return f"noticed, loaded again in {took_s:.2f} s"


def _glass(board: Board, *, seed: int = 11, seeded: bool = True) -> Job:
    """Return a problem with random couplings and fields, warm enough for its rows to differ."""
    d = board.session.descriptor
    if seeded and not d.update.seeded:
        raise NotTestedError("this device is not seeded")
    n = _size(d)
    k = min(6, d.slots(n), d.rows(n))
    rng = np.random.default_rng(7)
    size = max(1, min(_largest(d.coupling), _largest(d.field)) // 2)

    def drawn(numbers: Integers, shape: int | tuple[int, int]) -> Ints:
        low, high = max(numbers.low, -size), min(numbers.high, size)
        return rng.integers(low, high, shape, endpoint=True)

    couplings, fields = drawn(d.coupling, d.topology.num_pairs(n)), drawn(d.field, (k, n))
    sweeps = min(20, d.schedule.legs * d.schedule.most_sweeps)
    betas = np.linspace(0.1, 1.0, sweeps) * min(1 / size, _coldest(d))
    return _job(d, fields, betas, reads=_reads(d, n, k), couplings=couplings, seed=seed)


def _magnets(d: Descriptor, n: int) -> Iterator[tuple[Ints, NDArray[np.int8]]]:
    """Yield couplings (m,) that frustrate nobody, and a best state (n,): in the end every pair was coupled.

    All spins alike where the range has couplings for that. Else the spins are split into two camps, by one binary
    digit of their numbers after the other, and pairs of different camps are coupled: these end up apart.

    Raises:
        NotTestedError: no pair whose coupler and spins work.
    """
    pairs, works = _live(d, n)
    if not works.any():
        raise NotTestedError(f"no couplings among the first {n} spins")
    alike = d.coupling.low if d.update.energy_sign > 0 else d.coupling.high
    if alike:
        yield np.full(len(pairs), alike), np.ones(n, np.int8)
        return
    i, j = pairs.T
    for digit in range((n - 1).bit_length()):
        camps = (1 - 2 * (np.arange(n) >> digit & 1)).astype(np.int8)
        couplings = np.where(camps[i] != camps[j], d.coupling.low + d.coupling.high, 0)
        if (works & (couplings != 0)).any():
            yield couplings, camps


def _job(
    d: Descriptor, fields: Ints, betas: NDArray[np.float64], *, reads: int,
    couplings: Ints | None = None, seed: int = 11,
) -> Job:  # fmt: skip
    """Return a job that starts from random spins.

    Raises:
        NotTestedError: the device has no such schedule.
    """
    try:
        legs = legs_of(betas, d.schedule)
    except CapabilityError as error:
        raise NotTestedError(str(error)) from None
    if couplings is None:
        couplings = np.zeros(d.topology.num_pairs(fields.shape[1]), np.int64)
    return Job(couplings, fields, legs.table, legs.shift, reads, seed)


def _settled(board: Board, job: Job) -> NDArray[np.int8]:
    """Return the spins (k, r, n), in as many runs as the slots there are ask for."""
    return settle_part(board, [job], np.arange(len(job.fields))).spins


def _size(d: Descriptor) -> int:
    return min(d.units.most, _MOST_SPINS)


def _reads(d: Descriptor, n: int, slots: int) -> int:
    return max(1, min(_READS, d.rows(n) // slots, d.limits.reads))


def _largest(numbers: Integers) -> int:
    return max(numbers.high, -numbers.low)


def _pulls(numbers: Integers) -> Ints:
    """Return the strongest values of a range, alike in size: of both signs where it has them."""
    both = min(numbers.high, -numbers.low)
    return np.array([both, -both] if both else [numbers.high or numbers.low])


def _coldest(d: Descriptor) -> float:
    return d.schedule.most_gain * d.schedule.beta_unit


def _cold(d: Descriptor, size: int) -> float:
    """Return an inverse temperature at which spins obey a force of this size.

    Raises:
        NotTestedError: the device does not go so far.
    """
    beta = min(_COLD / size, _coldest(d))
    if beta * size < _LUKEWARM:
        raise NotTestedError(
            f"at its coldest, beta {_coldest(d):g} per count, a force of {size} is too weak to tell"
        )
    return beta


def _least(d: Descriptor, *, pairs: bool = False) -> float:
    """Return the share of spins, or pairs of them, that must be read as they should be.

    Raises:
        NotTestedError: chance would do nearly as well.
    """
    right = 1 - d.imperfections.readout_error
    least = _ALIGNED * (right**2 + (1 - right) ** 2 if pairs else right)
    if least < 0.6:
        raise NotTestedError(f"{1 - right:.0%} of its spins are read wrongly")
    return least


def _mean(values: NDArray[np.float64]) -> float:
    """Return the mean, 1 where there is nothing that could be wrong."""
    return float(values.mean()) if values.size else 1.0


def _moving(d: Descriptor, n: int) -> Ints:
    """Return the spins that are not stuck by the device's own account.

    Raises:
        NotTestedError: there are none.
    """
    moving = np.setdiff1d(np.arange(n), d.imperfections.stuck_spins)
    if not moving.size:
        raise NotTestedError(f"the first {n} spins are stuck by its own account")
    return moving


def _live(d: Descriptor, n: int) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the pairs (m, 2), and of which of them coupler and spins work by the device's own account (m,)."""
    pairs = d.topology.pairs(n)
    dead = set(d.imperfections.dead_couplers)
    works = np.array([pair not in dead for pair in map(tuple, pairs.tolist())], np.bool_)
    return pairs, works & np.isin(pairs, _moving(d, n)).all(axis=1)
