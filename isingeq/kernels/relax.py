"""Relaxation of layered networks, one tile of samples at a time; `lanes` holds the inner step."""

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numpy.typing import DTypeLike, NDArray

from isingeq.kernels.addresses import address, caller
from isingeq.kernels.convolve import Maps, aligned
from isingeq.kernels.inner import any_above, clear, copy, inline, inner, outer
from isingeq.kernels.lanes import LANES, LOOK, relax_layer
from isingeq.kernels.noise import normal
from isingeq.kernels.pulls import Work, all_moved, moved, nothing, pull, work_type
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
        displaced: 1 where positions are displacements from those in the panel `at`; see `displaced`.
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
    displaced: int


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
    """Working memory of one tile.

    `samples` are the numbers of those in its lanes, −1 where there is none; `at` is one row of zeros, and behind it
    what displacements are counted from, where positions are such.
    """

    x: Floats
    y: Floats
    h: Floats
    seen: Floats
    spare: Floats
    spring: Floats
    slack: Floats
    lanes: Floats
    numbers: Floats
    samples: Ints
    at: Floats


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


def panels(units: int, dtype: DTypeLike, *, displaced: bool) -> Panels:
    """Return working memory for one tile of so many units."""
    x, y, h, seen, spare = aligned(5 * units * LANES, dtype).reshape(5, -1)
    spring, slack = np.zeros((2, 2 * LANES), dtype)
    slack[LANES:] = 1.0
    lanes, numbers = np.zeros(3 * LANES, dtype), np.zeros(9, dtype)
    at = aligned((1 + displaced * units) * LANES, dtype)
    samples = np.zeros(LANES, np.int64)
    return Panels(x, y, h, seen, spare, spring, slack, lanes, numbers, samples, at)


@inner(cache=True)
def load_terms(p, lane, s, net, batch):  # type: ignore[no-untyped-def]
    """Add to a lane what nudges its sample."""
    h, spring, force, targets = p.h, batch.spring, batch.force, batch.targets
    p.spring[lane], p.spring[LANES + lane] = spring[s], batch.ease[s]
    if force.shape[0]:
        for i in range(force.shape[1]):
            h[i * LANES + lane] += force[s, i]
    if targets.shape[0]:
        for layer in range(net.sizes.size):
            if net.springy[layer]:
                first = net.rows[layer]
                for k in range(net.sizes[layer]):
                    h[(first + k) * LANES + lane] += spring[s] * targets[s, k]


@inline
def own_start(net, layer):  # type: ignore[no-untyped-def]
    """Return the point of a layer's box next to 0."""
    low, high = net.boxes[layer, 1], net.boxes[layer, 2]
    return low if low > 0.0 else high if high < 0.0 else net.boxes.dtype.type(0.0)


@inner(cache=True)
def load(p, tile, net, batch, moving):  # type: ignore[no-untyped-def]
    """Fill the panels with the samples of a tile; momenta only where there is any motion to carry them."""
    x, y, momentum = p.x, p.y, batch.momentum
    to_panel(p.h, batch.fields, tile, -1.0)
    last = batch.fields.shape[0] - 1
    for lane in range(LANES):
        s = min(tile * LANES + lane, last)
        p.samples[lane] = s if s == tile * LANES + lane else -1
        p.lanes[lane] = 1.0
        load_terms(p, lane, s, net, batch)
        if momentum.shape[0]:
            for i in range(momentum.shape[1]):
                y[i * LANES + lane] = momentum[s, i]
    if moving and not momentum.shape[0]:
        clear(y, 0, y.size)
    if batch.start.shape[0]:
        to_panel(x, batch.start, tile, 1.0)
        return
    for layer in range(net.sizes.size):
        own = own_start(net, layer)
        for e in range(net.rows[layer] * LANES, (net.rows[layer] + net.sizes[layer]) * LANES):
            x[e] = own


def _sweep(p, net, work, keep, kick, drift, ramp, tolerance):  # type: ignore[no-untyped-def]
    """Step every layer once, in order; without tolerance, residuals are not found."""
    x, h, lanes, numbers = p.x, p.h, p.lanes, p.numbers
    rows, sizes, boxes = net.rows, net.sizes, net.boxes
    clear(lanes, LANES, 3 * LANES)
    numbers[1], numbers[3], numbers[4], numbers[7] = keep, drift, ramp, tolerance
    for layer in range(sizes.size):
        if net.seen[layer]:
            for e in range(rows[layer] * LANES, (rows[layer] + sizes[layer]) * LANES):
                p.seen[e] = x[e]
    forces = work.z if net.ends.shape[0] else h
    for turn in range(-1, sizes.size):
        layer = net.order[turn] if turn >= 0 else -1
        if layer >= 0 and net.frozen[layer]:
            continue
        pull(work, x, h, net, layer)
        if layer < 0:
            continue
        numbers[0], numbers[2] = boxes[layer, 0], kick / boxes[layer, 0]
        numbers[5], numbers[6] = boxes[layer, 1], boxes[layer, 2]
        numbers[8] = tolerance / boxes[layer, 0] if net.displaced else tolerance
        relax_layer(
            x, p.y, forces, p.seen, net.w, net.links, net.first_link[layer], net.first_link[layer + 1],
            rows[layer], sizes[layer], p.spring if net.springy[layer] else p.slack, p.at, net.displaced, lanes, numbers,
        )  # fmt: skip
        moved(work, net, layer)


def _arguments(kind: Any) -> tuple[Any, ...]:
    """Return the types of what a sweep takes."""
    floats, ints = types.Array(kind, 1, "C"), types.int64[::1]
    square, pairs = types.Array(kind, 2, "C"), types.int64[:, ::1]
    net = (floats, pairs, *[ints] * 5, square, ints, ints, types.Tuple(()), pairs, types.int64)
    return (
        types.NamedTuple((*[floats] * 9, ints, floats), Panels), types.NamedTuple(net, Net), work_type(kind),
        *[types.float64] * 5,
    )  # fmt: skip


sweep = caller(_arguments)
"""`sweep(address, p, net, work, keep, kick, drift, ramp, tolerance)`; see `_sweep`."""


def ready(net: Net, batch: Batch, work: tuple[()] | Work) -> tuple[Net, Panels, Work, int]:
    """Return the network, the working memory and the address of a sweep, alike in type with convolutions or without."""
    dtype = net.w.dtype
    p = panels(batch.fields.shape[1], dtype, displaced=bool(net.displaced))
    return net._replace(maps=()), p, work or nothing(dtype), address(_sweep, _arguments, dtype)


@inner(cache=True)
def _shake(panel, net, sigma, seed, tile, step):  # type: ignore[no-untyped-def]
    """Add Gaussian noise to a panel."""
    rows, sizes, frozen = net.rows, net.sizes, net.frozen
    for layer in range(sizes.size):
        if frozen[layer]:
            continue
        for i in range(rows[layer], rows[layer] + sizes[layer]):
            for lane in range(LANES):
                panel[i * LANES + lane] += sigma * normal(seed, tile * LANES + lane, step, i)


@inline
def _confine(panel, net):  # type: ignore[no-untyped-def]
    """Bring positions back between their walls."""
    rows, sizes, frozen = net.rows, net.sizes, net.frozen
    for layer in range(sizes.size):
        if frozen[layer]:
            continue
        low, high = net.boxes[layer, 1], net.boxes[layer, 2]
        for e in range(rows[layer] * LANES, (rows[layer] + sizes[layer]) * LANES):
            panel[e] = low if panel[e] < low else high if panel[e] > high else panel[e]


@inner(cache=True)
def look_again(step, p, net, work, motion, found):  # type: ignore[no-untyped-def]
    """Measure the lanes that did not come to rest; where 2-cycles are possible, take two steps more.

    A lane that comes back to where it was, having left it, is in a 2-cycle.
    """
    sweep(step, p, net, work, 0.0, 0.0, 0.0, 0.0, LOOK)
    for lane in range(LANES):
        s = p.samples[lane]
        if s >= 0 and p.lanes[lane] > 0.0:
            found.steps[s] = motion.keep.size
            found.residual[s] = p.lanes[LANES + lane]
    if (
        not motion.synchronous
        or motion.keep[motion.keep.size - 1] != 0.0
        or not any_above(p.lanes, LANES, 2 * LANES, WIDE)
    ):
        return
    copy(p.spare, p.x)
    for _ in range(2):
        sweep(step, p, net, work, 0.0, motion.kick, motion.drift, 0.0, 0.0)
    for lane in range(LANES):
        s, back = p.samples[lane], 0.0
        if s >= 0 and p.lanes[lane] > 0.0:
            for e in range(lane, p.x.size, LANES):
                back = max(back, abs(p.x[e] - p.spare[e]))
            found.two_cycle[s] = back < 0.05 * found.residual[s]


@inline
def stop_rested(p, found, t):  # type: ignore[no-untyped-def]
    """Stop the lanes in which nothing moved at step t, and return how many they are."""
    stopped = 0
    for lane in range(LANES):
        if p.lanes[lane] > 0.0 and p.lanes[2 * LANES + lane] == 0.0:
            p.lanes[lane] = 0.0
            stopped += 1
            s = p.samples[lane]
            if s >= 0:
                found.steps[s] = t
                found.residual[s] = p.lanes[LANES + lane]
    return stopped


@outer
def _relax_tiles(first, last, motion, batch, found, net, p, work, step):  # type: ignore[no-untyped-def]
    """See `relax_tiles`; `step` is the address of a sweep."""
    restless = motion.force_noise > 0.0 or motion.state_noise > 0.0
    steps = motion.keep.size
    moving = any_above(motion.keep, 0, steps, 0.0) or any_above(motion.ramp, 0, steps, 0.0)
    for tile in range(first, last):
        load(p, tile, net, batch, moving)
        all_moved(work, net)
        if motion.force_noise > 0.0:
            copy(p.spare, p.h)
        running = LANES
        for t in range(steps):
            if motion.force_noise > 0.0:
                copy(p.h, p.spare)
                _shake(p.h, net, motion.force_noise, motion.seed, tile, 2 * t)
            tolerance = 0.0 if restless or motion.ramp[t] > 0.0 else motion.tolerance
            sweep(
                step, p, net, work, motion.keep[t], motion.kick, motion.drift, motion.ramp[t], tolerance,
            )  # fmt: skip
            if motion.state_noise > 0.0:
                _shake(p.x, net, motion.state_noise, motion.seed, tile, 2 * t + 1)
                _confine(p.x, net)
                all_moved(work, net)
            if tolerance == 0.0:
                continue
            running -= stop_rested(p, found, t)
            if running == 0:
                break
        from_panel(p.x, found.states, tile)
        if batch.momentum.shape[0]:
            from_panel(p.y, batch.momentum, tile)
        if running == 0:
            continue
        if motion.force_noise > 0.0:
            copy(p.h, p.spare)
        look_again(step, p, net, work, motion, found)


def relax_tiles(
    first: int,
    last: int,
    net: Net,
    motion: Motion,
    batch: Batch,
    found: Found,
    work: tuple[()] | Work,
) -> None:
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
    _relax_tiles(first, last, motion, batch, found, *ready(net, batch, work))
