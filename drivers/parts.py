"""Some samples of a batch on one board: in as many runs as its slots need, each sample with its number in the batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import thread_time

import numpy as np
from numpy.typing import NDArray

from drivers.board import Board
from drivers.job import Job

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
    n = job.fields.shape[1]
    out = np.empty((len(slots), job.reads, n), np.int8)
    at = 0
    for first, last in _runs(slots, _slots(board, job, len(slots))):
        out[at : at + last - first] = board.settle(job.part(first, last))
        at += last - first
    return out.reshape(len(samples), per_sample * job.reads, n)


def _slots(board: Board, job: Job, num_slots: int) -> int:
    """Return how many slots go into one run: in a phase that goes on from the one before, as many as there."""
    descriptor, n = board.session.descriptor, job.fields.shape[1]
    most = min(descriptor.slots(n), descriptor.rows(n) // job.reads)
    before = board.slots_used
    goes_on = not job.random and 0 < before <= most and num_slots % before == 0
    return before if goes_on else most


def _runs(slots: Ints, most: int) -> Iterator[tuple[int, int]]:
    """Yield (first, last + 1) of neighbouring numbers, `most` at a time."""
    together = slots[-1] - slots[0] == len(slots) - 1
    parts = [slots] if together else np.split(slots, np.flatnonzero(np.diff(slots) != 1) + 1)
    for part in parts:
        for at in range(0, len(part), most):
            piece = part[at : at + most]
            yield int(piece[0]), int(piece[-1]) + 1
