"""Some samples of a batch on one board: in as many runs as its slots need, each sample with its number in the batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import thread_time

import numpy as np
from numpy.typing import NDArray

from drivers.board import Board
from drivers.job import Job, Placed

Ints = NDArray[np.integer]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What came of some samples.

    Attributes:
        spins: ±1 (k, r, n).
        host_s: seconds of this thread's processor.
        link_s: seconds on the board's clock that the device did not need.
        device_s: seconds that it declared to need, as far as they passed.
    """

    spins: NDArray[np.int8]
    host_s: float
    link_s: float
    device_s: float


def settle_part(board: Board, jobs: Sequence[Job], samples: Ints) -> Part:
    """Settle the samples (k,) of a batch that one board gets.

    Args:
        board: that settles them.
        jobs: the whole batch, each some of the reads of every sample.
        samples: their numbers, going up.

    Raises:
        DeviceError: the board failed, and did not come back.
    """
    used, began, device_s = thread_time(), board.session.transport.now(), board.device_s
    spins = [_settle(board, job, samples) for job in jobs]
    passed = max(0.0, board.session.transport.now() - began)
    # An emulator may be faster than the part that its firmware declares itself to be.
    device_s = min(board.device_s - device_s, passed)
    return Part(
        spins[0] if len(spins) == 1 else np.concatenate(spins, axis=1),
        host_s=thread_time() - used,
        link_s=passed - device_s,
        device_s=device_s,
    )


def _settle(board: Board, job: Job, samples: Ints) -> NDArray[np.int8]:
    per_sample = job.slots_per_sample
    slots = samples
    if per_sample > 1:
        slots = (samples[:, None] * per_sample + np.arange(per_sample)).ravel()
    placed = list(_placed(board, job, slots))
    spins = []
    for now, then in zip(placed, [*placed[1:], None], strict=True):
        apart = then is not None and not _overlap(now.slots, then.slots)
        spins.append(board.settle(now.job, slot=now.slot, ahead=then if apart else None))
    rows = spins[0] if len(spins) == 1 else np.concatenate(spins)
    return rows.reshape(len(samples), per_sample * job.reads, -1)


def _placed(board: Board, job: Job, slots: Ints) -> Iterator[Placed]:
    """Yield the runs that settle these slots of a job, each where it can be loaded while the one before is under way.

    A phase that goes on from the one before has as many slots in its first run; those after it take turns between
    the slots to spare, which are filled from the others, and the others.
    """
    descriptor, n = board.session.descriptor, job.fields.shape[1]
    most, rows, num_slots = descriptor.slots(n), descriptor.rows(n) // job.reads, len(slots)
    first = board.goes_on(job, int(slots[0]))
    if not first or num_slots % first:
        first = num_slots if num_slots <= min(most, rows) else max(1, min(most // 2, rows))
    size = min(first, most - first)
    if 2 * size < first:  # runs of a few slots cost more than they hide
        size = first
    before = range(0)
    for at, end in _runs(slots, first, size):
        natural = at % first
        place = Placed(job.part(int(slots[at]), int(slots[end - 1]) + 1), natural)
        if _overlap(place.slots, before) and first + end - at <= most:
            place = Placed(place.job, first, natural)
        before = place.slots
        yield place


def _runs(slots: Ints, first: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield (at, end) of neighbouring slots: `first`, then `size` at a time, none over a multiple of `first`."""
    breaks = {first, len(slots), *(np.flatnonzero(np.diff(slots) != 1) + 1).tolist()}
    at = 0
    while at < len(slots):
        room = first if at < first else min(size, first - at % first)
        end = min(at + room, *(cut for cut in breaks if cut > at))
        yield at, end
        at = end


def _overlap(a: range, b: range) -> bool:
    return max(a.start, b.start) < min(a.stop, b.stop)
