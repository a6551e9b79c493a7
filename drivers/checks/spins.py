"""Whether the spins do what their couplings and fields tell them.

E = ±(Σ h s + Σ J s s)      the sign is the device's own; β per count of energy
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.board import Board
from drivers.checks.expecting import NotTestedError, expect
from drivers.descriptor import Descriptor
from drivers.job import Job
from drivers.legs import legs_of
from drivers.wire.constants import RESET_MAGIC, Opcode
from drivers.wire.requests import Guarded

_MOST_SPINS = 32
_READS = 8
_SIGMAS = 5.0
_ALIGNED = 0.95
"""Of the pairs at the least: analog boards have readout errors."""
_COLD = 8.0
"""β times the largest coupling or field: the wrong side has a chance of exp(−16)."""


def balance(board: Board) -> str:
    """Let free spins run at β = 0: as many are up as down."""
    d = board.session.descriptor
    n = _size(d)
    slots = d.slots(n)
    reads = max(1, min(d.rows(n) // slots, d.limits.reads))
    slots = min(slots, d.rows(n))
    spins = board.settle(_job(d, np.zeros((slots, n), np.int64), [0.0] * 2, reads=reads))
    moving = _moving(d, n)
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
    """Put a field on every spin: up in half of the slots, down in the others."""
    d = board.session.descriptor
    n, size = _size(d), min(d.field.high, -d.field.low)
    fields = np.full((2, n), size) * np.array([[1], [-1]])
    spins = board.settle(_job(d, fields, [_COLD / size] * 10, reads=_reads(d, n, 2)))
    obeyed = spins * np.sign(-d.update.energy_sign * fields)[:, None] > 0
    share = float(obeyed[..., _moving(d, n)].mean())
    way = "down" if d.update.energy_sign > 0 else "up"
    expect(share >= _ALIGNED, f"{share:.1%} of the spins go {way} in a field that is up")
    return f"field up, spin {way}: {share:.1%}"


def magnet(board: Board) -> str:
    """Cool a ferromagnet slowly: coupled spins end up alike."""
    d = board.session.descriptor
    n = _size(d)
    job = _magnet(d, np.zeros((1, n), np.int64), np.linspace(0.05, _COLD, 200), _reads(d, n, 1))
    share, num_pairs = _alike(d, board.settle(job), n)
    expect(share >= _ALIGNED, f"{share:.1%} of {num_pairs} pairs are aligned")
    return f"{share:.1%} of {num_pairs} pairs aligned"


def given_start(board: Board) -> str:
    """Start a cold ferromagnet with all spins up, and with all down: it stays there."""
    d = board.session.descriptor
    n = _size(d)
    starts = np.ones((2, n), np.int8) * np.array([[1], [-1]], np.int8)
    job = _magnet(
        d, np.zeros((2, n), np.int64), [_COLD] * 5, _reads(d, n, 2), starts=starts, random=False
    )
    coupled = np.intersect1d(_moving(d, n), _live(d, n)[1])
    share = float((board.settle(job) == starts[:, None])[..., coupled].mean())
    expect(share >= _ALIGNED, f"{share:.1%} of the spins are where they were put")
    return f"{share:.1%} stay where they were put"


def held(board: Board) -> str:
    """Hold every other spin against a strong field."""
    d = board.session.descriptor
    if not d.features.clamp:
        raise NotTestedError("this device holds no spins")
    n, size = _size(d), min(d.field.high, -d.field.low)
    starts = np.where(np.arange(n) % 4 < 2, 1, -1).astype(np.int8)[None]
    fields = d.update.energy_sign * size * starts.astype(np.int64)
    clamps = np.arange(n) % 2 == 0
    job = _job(d, fields, [_COLD / size] * 10, reads=_reads(d, n, 1), starts=starts, clamps=clamps)
    stays = (board.settle(job) == starts)[0][:, _moving(d, n)].mean(axis=0)
    mask = clamps[_moving(d, n)]
    kept, left = float(stays[mask].mean()), float(1 - stays[~mask].mean()) if n > 1 else 1.0
    expect(kept >= _ALIGNED, f"{kept:.1%} of the held spins were held")
    expect(left >= _ALIGNED, f"{left:.1%} of the spins beside them were free")
    return f"{kept:.1%} held, {left:.1%} beside them free"


def repeats(board: Board) -> str:
    """Run the same twice: the same rows. Run with another seed: other rows."""
    job = _glass(board)
    first = board.settle(job)
    again = board.settle(job)
    differ = int((first != again).any(axis=-1).sum())
    expect(not differ, f"{differ} of {first[..., 0].size} rows differ for the same seed")
    other = board.settle(_glass(board, seed=12))
    expect(bool((other != first).any()), "another seed gives the same rows")
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
    size = max(1, min(d.coupling.high, -d.coupling.low, d.field.high, -d.field.low) // 2)
    couplings = rng.integers(-size, size, d.topology.num_pairs(n), endpoint=True)
    fields = rng.integers(-size, size, (k, n), endpoint=True)
    betas = np.linspace(0.1, 1.0, 20) / size
    return _job(d, fields, betas, reads=_reads(d, n, k), couplings=couplings, seed=seed)


def _magnet(
    d: Descriptor, fields: NDArray[np.int64], betas: Sequence[float] | NDArray[np.float64], reads: int,
    *, starts: NDArray[np.int8] | None = None, random: bool = True,
) -> Job:  # fmt: skip
    """Return a job in which every coupling wants its two spins alike; betas per largest coupling."""
    n = fields.shape[1]
    size = d.coupling.high if d.update.energy_sign < 0 else -d.coupling.low
    couplings = np.full(d.topology.num_pairs(n), -d.update.energy_sign * size)
    per_count = np.asarray(betas) / size
    return _job(
        d, fields, per_count, reads=reads, couplings=couplings, starts=starts, random=random
    )


def _job(
    d: Descriptor, fields: NDArray[np.int64], betas: Sequence[float] | NDArray[np.float64], *,
    reads: int, couplings: NDArray[np.int64] | None = None, seed: int = 11,
    starts: NDArray[np.int8] | None = None, clamps: NDArray[np.bool_] | None = None,
    random: bool = True,
) -> Job:  # fmt: skip
    legs = legs_of(np.asarray(betas, float), d.schedule)
    if couplings is None:
        couplings = np.zeros(d.topology.num_pairs(fields.shape[1]), np.int64)
    return Job(
        couplings, fields, legs.table, legs.shift, reads, seed, 0, starts, clamps, random
    )  # fmt: skip


def _size(d: Descriptor) -> int:
    return min(d.units.most, _MOST_SPINS)


def _reads(d: Descriptor, n: int, slots: int) -> int:
    return max(1, min(_READS, d.rows(n) // slots, d.limits.reads))


def _moving(d: Descriptor, n: int) -> NDArray[np.int64]:
    """Return the spins that are not stuck by the device's own account."""
    return np.setdiff1d(np.arange(n), d.imperfections.stuck_spins)


def _live(d: Descriptor, n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs (m, 2) whose coupler and spins work, and all spins in them."""
    pairs = d.topology.pairs(n)
    dead = set(d.imperfections.dead_couplers)
    works = np.array([(i, j) not in dead for i, j in pairs.tolist()], np.bool_)
    pairs = pairs[works & np.isin(pairs, _moving(d, n)).all(axis=1)]
    return pairs, np.unique(pairs)


def _alike(d: Descriptor, spins: NDArray[np.int8], n: int) -> tuple[float, int]:
    pairs = _live(d, n)[0]
    if not len(pairs):
        raise NotTestedError(f"no couplings among the first {n} spins")
    alike = spins[..., pairs[:, 0]] == spins[..., pairs[:, 1]]
    return float(alike.mean()), len(pairs)
