"""Samples of phases in memory: rows of a batch, and panels of lanes in which kernels work on them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isingeq.kernels.circle import to_circle
from isingeq.kernels.inner import inner
from isingeq.kernels.lanes import LANES
from isingeq.kernels.turn import from_panel, to_panel

Floats = NDArray[np.floating]
Keys = NDArray[np.uint64]


class Pulls(NamedTuple):
    """Nudges of outputs, sample by sample, each on a run of units that starts at `first`.

    Attributes:
        first_spring: of ½ spring (cos φ − target)².
        spring: (b,).
        targets: (b, k), or (b, 0).
        first_pull: of −pull ln(1 + floor + cos(φ − aim)).
        pull: (b,).
        aims: (b, k), or (b, 0).
        floor: keeps the logarithm finite.
    """

    first_spring: int
    spring: Floats
    targets: Floats
    first_pull: int
    pull: Floats
    aims: Floats
    floor: float


class Batch(NamedTuple):
    """What differs from sample to sample: fields with all constant forces in them, keys of the noise, nudges.

    Attributes:
        fields: h_x and h_y of every unit in turn (b, 2 n).
        keys: of the random numbers (b,).
        pulls: nudges.
        phases: to start from (b, n), overwritten with the last.
        velocity: to start from (b, n), overwritten; or (0, n) to start at rest.
    """

    fields: Floats
    keys: Keys
    pulls: Pulls
    phases: Floats
    velocity: Floats


def fixed(fields: Floats) -> Floats:
    """Return fields (b, 2 n) as rows that cannot be written: kernels are compiled for those alone."""
    view = np.ascontiguousarray(fields).view()
    view.flags.writeable = False
    return view


def no_pulls(rows: int, dtype: type) -> Pulls:
    """Return the nudges of samples (rows,) that have none."""
    still: Floats = np.zeros(rows, dtype)
    none: Floats = np.zeros((rows, 0), dtype)
    return Pulls(0, still, none, 0, still, none, 0.0)


def samples(batch: Batch, part: NDArray[np.intp]) -> Batch:
    """Return some samples of a batch, copied."""
    pulls = batch.pulls
    return Batch(
        fixed(batch.fields[part]),
        batch.keys[part],
        pulls._replace(
            spring=pulls.spring[part],
            targets=pulls.targets[part],
            pull=pulls.pull[part],
            aims=pulls.aims[part],
        ),
        batch.phases[part],
        batch.velocity[part] if len(batch.velocity) else batch.velocity,
    )


class Panel(NamedTuple):
    """Working memory of `blocks` · LANES samples.

    Attributes:
        phi: phases, a row per unit.
        v: velocities.
        z: cosines and sines, two rows per unit.
        g: couplings' part of the local field, two rows per unit.
        h: fields, two rows per unit.
        worst: largest slope.
        moved: 0 where no unit moved.
        keys: of the random numbers.
        pulls: nudges of these samples alone, one column per lane.
    """

    phi: Floats
    v: Floats
    z: Floats
    g: Floats
    h: Floats
    worst: Floats
    moved: Floats
    keys: Keys
    pulls: Pulls


@inner(cache=True)
def panel(batch, blocks):  # type: ignore[no-untyped-def]
    """Return the working memory for blocks · LANES samples."""
    n, width, kind = batch.phases.shape[1], blocks * LANES, batch.phases.dtype
    pulls = batch.pulls
    return Panel(
        np.zeros(n * width, kind), np.zeros(n * width, kind),
        np.zeros(2 * n * width, kind), np.zeros(2 * n * width, kind), np.zeros(2 * n * width, kind),
        np.zeros(width, kind), np.zeros(width, kind), np.zeros(width, np.uint64),
        Pulls(
            pulls.first_spring, np.zeros(width, kind), np.zeros((pulls.targets.shape[1], width), kind),
            pulls.first_pull, np.zeros(width, kind), np.zeros((2 * pulls.aims.shape[1], width), kind), pulls.floor,
        ),
    )  # fmt: skip


@inner(cache=True)
def load(p, batch, row):  # type: ignore[no-untyped-def]
    """Fill a panel with the samples from `row` on; the last sample fills up what is left over."""
    b, n = batch.phases.shape
    width = p.worst.size
    if width == LANES:
        to_panel(p.h, batch.fields, row // LANES, 1.0)
        to_panel(p.phi, batch.phases, row // LANES, 1.0)
        if batch.velocity.shape[0]:
            to_panel(p.v, batch.velocity, row // LANES, 1.0)
    for lane in range(width):
        s = min(row + lane, b - 1)
        p.keys[lane] = batch.keys[s]
        p.pulls.spring[lane], p.pulls.pull[lane] = batch.pulls.spring[s], batch.pulls.pull[s]
        for k in range(batch.pulls.targets.shape[1]):
            p.pulls.targets[k, lane] = batch.pulls.targets[s, k]
        for k in range(batch.pulls.aims.shape[1]):
            p.pulls.aims[2 * k, lane] = np.cos(batch.pulls.aims[s, k])
            p.pulls.aims[2 * k + 1, lane] = np.sin(batch.pulls.aims[s, k])
        if width > LANES:
            for i in range(n):
                p.phi[i * width + lane] = batch.phases[s, i]
                p.h[2 * i * width + lane] = batch.fields[s, 2 * i]
                p.h[(2 * i + 1) * width + lane] = batch.fields[s, 2 * i + 1]
                if batch.velocity.shape[0]:
                    p.v[i * width + lane] = batch.velocity[s, i]
    to_circle(p.phi, p.z, n, width // LANES)


@inner(cache=True)
def keep(p, batch, row):  # type: ignore[no-untyped-def]
    """Write a panel back into the samples from `row` on."""
    b, n = batch.phases.shape
    width = p.worst.size
    if width == LANES:
        from_panel(p.phi, batch.phases, row // LANES)
        if batch.velocity.shape[0]:
            from_panel(p.v, batch.velocity, row // LANES)
        return
    for lane in range(min(width, b - row)):
        for i in range(n):
            batch.phases[row + lane, i] = p.phi[i * width + lane]
            if batch.velocity.shape[0]:
                batch.velocity[row + lane, i] = p.v[i * width + lane]
