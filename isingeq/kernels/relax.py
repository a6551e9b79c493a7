"""Relaxation of layered networks, one tile of samples at a time; `lanes` holds the inner step."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isingeq.kernels.convolve import Maps
from isingeq.kernels.inner import any_above, copy, inner
from isingeq.kernels.lanes import LANES, LOOK, relax_layer
from isingeq.kernels.noise import normal
from isingeq.kernels.pulls import all_moved, moved, pull, see
from isingeq.kernels.turn import from_panel, to_panel

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]


WIDE = 0.01
"""Residual from which a 2-cycle is looked for: one that flips by less passes for a state that is not settled."""


class Net(NamedTuple):
    """A layered network as arrays.

    Attributes:
        w: couplings as forces (minus the problem's), every matrix once per direction, flat.
        links: per link start in `w`, stride between rows, length of a row, first unit of the source, and 1 where
            the source is to be seen as it was before the step.
        first_link: per layer its first link, and one past the last.
        rows: first unit of each layer.
        sizes: units of each layer.
        order: layers in the order of their updates.
        seen: 1 for layers that some link wants as they were before the step.
        boxes: per layer stiffness, low, high; time runs in units of 1 / stiffness.
        springy: 1 for the layer that a nudge's spring acts on.
        frozen: 1 for layers that stay where they start.
        maps: convolutions as forces; () where there are none.
        ends: per convolution its source, its target and how they are seen, as in `pulls`.
    """

    w: Floats
    links: Ints
    first_link: Ints
    rows: Ints
    sizes: Ints
    order: Ints
    seen: Ints
    boxes: Floats
    springy: Ints
    frozen: Ints
    maps: tuple[()] | Maps
    ends: Ints


class Motion(NamedTuple):
    """How every layer moves.

    Attributes:
        keep: share of the momentum carried over, per step; 0 is gradient flow.
        ramp: stiffness that the ramp adds, per step.
        kick: force to momentum.
        drift: momentum to position.
        tolerance: residual and reach below which a unit rests.
        synchronous: 1 when all layers see the state before the step, so that 2-cycles are possible.
        force_noise: standard deviation added to every force at every step.
        state_noise: standard deviation added to every position after every step.
        seed: of the noise.
    """

    keep: Floats
    ramp: Floats
    kick: float
    drift: float
    tolerance: float
    synchronous: int
    force_noise: float
    state_noise: float
    seed: int


class Panels(NamedTuple):
    """Working memory of one tile; `samples` are the numbers of those in its lanes, −1 where there is none."""

    x: Floats
    y: Floats
    h: Floats
    seen: Floats
    spring: Floats
    slack: Floats
    lanes: Floats
    numbers: Floats
    samples: Ints


class Batch(NamedTuple):
    """What differs from sample to sample.

    Attributes:
        fields: of the problem (b, n), in its own sign.
        force: added by a nudge (b, n), or (0, n).
        spring: stiffness that a nudge adds on the springy layer (b,).
        ease: factor on the step of the springy layer (b,).
        targets: of the springs (b, k), or (0, k).
        start: positions to start from (b, n), or (0, n) to start at the point of the box next to 0.
        momentum: to start from (b, n), overwritten with the last; or (0, n) to start at rest.
    """

    fields: Floats
    force: Floats
    spring: Floats
    ease: Floats
    targets: Floats
    start: Floats
    momentum: Floats


class Found(NamedTuple):
    """What is written, sample by sample: states (b, n), steps that moved, exact residual, 2-cycle or not, each (b,)."""

    states: Floats
    steps: Ints
    residual: Floats
    two_cycle: NDArray[np.bool_]


@inner(cache=True)
def panels(units, kind):  # type: ignore[no-untyped-def]
    """Return working memory for one tile of so many units."""
    size = units * LANES
    p = Panels(
        np.empty(size, kind), np.empty(size, kind), np.empty(size, kind), np.empty(size, kind),
        np.empty(2 * LANES, kind), np.zeros(2 * LANES, kind),
        np.empty(3 * LANES, kind), np.empty(8, kind), np.empty(LANES, np.int64),
    )  # fmt: skip
    p.slack[LANES:] = 1.0
    return p


@inner(cache=True)
def load_terms(p, lane, s, net, batch):  # type: ignore[no-untyped-def]
    """Add to a lane what nudges its sample."""
    p.spring[lane], p.spring[LANES + lane] = batch.spring[s], batch.ease[s]
    if batch.force.shape[0]:
        for i in range(batch.force.shape[1]):
            p.h[i * LANES + lane] += batch.force[s, i]
    if batch.targets.shape[0]:
        for layer in range(net.sizes.size):
            if net.springy[layer]:
                for k in range(net.sizes[layer]):
                    p.h[(net.rows[layer] + k) * LANES + lane] += (
                        batch.spring[s] * batch.targets[s, k]
                    )


@inner(cache=True)
def load(p, tile, net, batch, moving):  # type: ignore[no-untyped-def]
    """Fill the panels with the samples of a tile; momenta only where there is any motion to carry them."""
    to_panel(p.h, batch.fields, tile, -1.0)
    last = batch.fields.shape[0] - 1
    for lane in range(LANES):
        s = min(tile * LANES + lane, last)
        p.samples[lane] = s if s == tile * LANES + lane else -1
        load_terms(p, lane, s, net, batch)
    if batch.start.shape[0]:
        to_panel(p.x, batch.start, tile, 1.0)
    else:
        for layer in range(net.sizes.size):
            first, end = net.rows[layer] * LANES, (net.rows[layer] + net.sizes[layer]) * LANES
            p.x[first:end] = min(max(net.boxes[layer, 1], 0.0), net.boxes[layer, 2])
    if batch.momentum.shape[0]:
        to_panel(p.y, batch.momentum, tile, 1.0)
    elif moving:
        p.y[:] = 0.0
    p.lanes[:LANES] = 1.0


@inner(cache=True)
def sweep(p, net, work, keep, kick, drift, ramp, tolerance):  # type: ignore[no-untyped-def]
    """Step every layer once, in order; without tolerance, residuals are not found."""
    p.lanes[LANES:] = 0.0
    p.numbers[1], p.numbers[3], p.numbers[4] = keep, drift, ramp
    p.numbers[7] = tolerance
    for layer in range(net.sizes.size):
        if net.seen[layer]:
            first, end = net.rows[layer] * LANES, (net.rows[layer] + net.sizes[layer]) * LANES
            copy(p.seen[first:end], p.x[first:end])
    see(work, p.x, p.h, net)
    for layer in net.order:
        if net.frozen[layer]:
            continue
        h = pull(work, p.x, p.h, net, layer)
        p.numbers[0], p.numbers[2] = net.boxes[layer, 0], kick / net.boxes[layer, 0]
        p.numbers[5], p.numbers[6] = net.boxes[layer, 1], net.boxes[layer, 2]
        relax_layer(
            p.x, p.y, h, p.seen, net.w, net.links, net.first_link[layer], net.first_link[layer + 1],
            net.rows[layer], net.sizes[layer], p.spring if net.springy[layer] else p.slack, p.lanes, p.numbers,
        )  # fmt: skip
        moved(work, net, layer)


@inner(cache=True)
def _shake(panel, net, sigma, seed, tile, step):  # type: ignore[no-untyped-def]
    """Add Gaussian noise to a panel."""
    for layer in range(net.sizes.size):
        if net.frozen[layer]:
            continue
        for i in range(net.rows[layer], net.rows[layer] + net.sizes[layer]):
            for lane in range(LANES):
                panel[i * LANES + lane] += sigma * normal(seed, tile * LANES + lane, step, i)


@inner(cache=True)
def _confine(panel, net):  # type: ignore[no-untyped-def]
    """Bring positions back between their walls."""
    for layer in range(net.sizes.size):
        if net.frozen[layer]:
            continue
        low, high = net.boxes[layer, 1], net.boxes[layer, 2]
        for e in range(net.rows[layer] * LANES, (net.rows[layer] + net.sizes[layer]) * LANES):
            panel[e] = min(max(panel[e], low), high)


@inner(cache=True)
def look_again(p, net, work, motion, before, found):  # type: ignore[no-untyped-def]
    """Measure the lanes that did not come to rest; where 2-cycles are possible, take two steps more.

    A lane that comes back to where it was, having left it, is in a 2-cycle.
    """
    sweep(p, net, work, 0.0, 0.0, 0.0, 0.0, LOOK)
    for lane in range(LANES):
        s = p.samples[lane]
        if s >= 0 and p.lanes[lane] > 0.0:
            found.steps[s] = motion.keep.size
            found.residual[s] = p.lanes[LANES + lane]
    if (
        not motion.synchronous
        or motion.keep[motion.keep.size - 1] != 0.0
        or not any_above(p.lanes[LANES : 2 * LANES], WIDE)
    ):
        return
    copy(before, p.x)
    for _ in range(2):
        sweep(p, net, work, 0.0, motion.kick, motion.drift, 0.0, 0.0)
    for lane in range(LANES):
        s, back = p.samples[lane], 0.0
        if s >= 0 and p.lanes[lane] > 0.0:
            for e in range(lane, p.x.size, LANES):
                back = max(back, abs(p.x[e] - before[e]))
            found.two_cycle[s] = back < 0.05 * found.residual[s]


@njit(nogil=True, cache=True, error_model="numpy")
def relax_tiles(first, last, net, motion, batch, found, work):  # type: ignore[no-untyped-def]
    """Relax the samples first·LANES … last·LANES − 1 and write what became of them.

    Every lane stops on its own, at the first step in which none of its units had to move, so that its residual
    is exact for its state. Lanes that never stop are looked at once more without moving them, and without noise:
    under noise nothing rests, and all steps are run.

    Args:
        first: first tile.
        last: one past the last tile.
        net: the network.
        motion: how it moves.
        batch: the samples.
        found: written.
        work: working memory of the convolutions, () where there are none.
    """
    n = batch.fields.shape[1]
    kind = net.w.dtype
    p = panels(n, kind)
    spare = np.empty(n * LANES, kind)
    restless = motion.force_noise > 0.0 or motion.state_noise > 0.0
    moving = any_above(motion.keep, 0.0) or any_above(motion.ramp, 0.0)
    for tile in range(first, last):
        load(p, tile, net, batch, moving)
        all_moved(work, net)
        if motion.force_noise > 0.0:
            copy(spare, p.h)
        running = LANES
        for t in range(motion.keep.size):
            if motion.force_noise > 0.0:
                copy(p.h, spare)
                _shake(p.h, net, motion.force_noise, motion.seed, tile, 2 * t)
            tolerance = 0.0 if restless or motion.ramp[t] > 0.0 else motion.tolerance
            sweep(
                p, net, work, motion.keep[t], motion.kick, motion.drift, motion.ramp[t], tolerance
            )
            if motion.state_noise > 0.0:
                _shake(p.x, net, motion.state_noise, motion.seed, tile, 2 * t + 1)
                _confine(p.x, net)
                all_moved(work, net)
            if tolerance == 0.0:
                continue
            for lane in range(LANES):
                if p.lanes[lane] > 0.0 and p.lanes[2 * LANES + lane] == 0.0:
                    p.lanes[lane] = 0.0
                    running -= 1
                    s = p.samples[lane]
                    if s >= 0:
                        found.steps[s] = t
                        found.residual[s] = p.lanes[LANES + lane]
            if running == 0:
                break
        from_panel(p.x, found.states, tile)
        if batch.momentum.shape[0]:
            from_panel(p.y, batch.momentum, tile)
        if running == 0:
            continue
        if motion.force_noise > 0.0:
            copy(p.h, spare)
        look_again(p, net, work, motion, spare, found)
