"""Relaxation of layered networks, one tile of samples at a time; `lanes` holds the inner step."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isingeq.kernels.lanes import LANES, relax_layer
from isingeq.kernels.noise import normal

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]


class Net(NamedTuple):
    """A layered network as arrays.

    Attributes:
        w: couplings as forces (minus the problem's), every matrix once per direction, flat.
        links: per link start in `w`, stride between rows, length of a row, first unit of the source.
        first_link: per layer its first link, and one past the last.
        rows: first unit of each layer.
        sizes: units of each layer.
        colours: order of update of each layer; layers of one colour are not coupled.
        boxes: per layer stiffness, low, high; time runs in units of 1 / stiffness.
        springy: 1 for the layer that a nudge's spring acts on.
        frozen: 1 for layers that stay where they start.
    """

    w: Floats
    links: Ints
    first_link: Ints
    rows: Ints
    sizes: Ints
    colours: Ints
    boxes: Floats
    springy: Ints
    frozen: Ints


class Motion(NamedTuple):
    """How every layer moves.

    Attributes:
        keep: share of the momentum carried over, per step; 0 is gradient flow.
        ramp: stiffness that the ramp adds, per step.
        kick: force to momentum.
        drift: momentum to position.
        tolerance: residual and reach below which a unit rests.
        synchronous: 1 when all layers see the state before the step.
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
    """Working memory of one tile."""

    x: Floats
    y: Floats
    h: Floats
    seen: Floats
    spring: Floats
    slack: Floats
    lanes: Floats
    numbers: Floats


@njit(cache=True)
def _load(p, tile, forces, start, momentum, spring):  # type: ignore[no-untyped-def]
    """Fill the panels with the samples of a tile; the last sample fills up the last tile."""
    b, n = forces.shape
    for lane in range(LANES):
        s = min(tile * LANES + lane, b - 1)
        for i in range(n):
            p.x[i * LANES + lane] = start[s, i]
            p.h[i * LANES + lane] = forces[s, i]
        if momentum.shape[0]:
            for i in range(n):
                p.y[i * LANES + lane] = momentum[s, i]
        p.spring[lane] = spring[s]
    if not momentum.shape[0]:
        p.y[:] = 0.0
    p.lanes[:LANES] = 1.0


@njit(cache=True)
def _sweep(p, net, keep, kick, drift, ramp, tolerance):  # type: ignore[no-untyped-def]
    """Step every layer once, colour by colour."""
    p.lanes[LANES:] = 0.0
    p.numbers[1], p.numbers[3], p.numbers[4] = keep, drift, ramp
    p.numbers[7] = tolerance
    for colour in range(net.colours.max() + 1):
        for layer in range(net.sizes.size):
            if net.colours[layer] != colour or net.frozen[layer]:
                continue
            p.numbers[0], p.numbers[2] = net.boxes[layer, 0], kick / net.boxes[layer, 0]
            p.numbers[5], p.numbers[6] = net.boxes[layer, 1], net.boxes[layer, 2]
            relax_layer(
                p.x, p.y, p.h, p.seen, net.w, net.links, net.first_link[layer], net.first_link[layer + 1],
                net.rows[layer], net.sizes[layer], p.spring if net.springy[layer] else p.slack, p.lanes, p.numbers,
            )  # fmt: skip


@njit(cache=True)
def _shake(panel, net, sigma, seed, tile, step, walls):  # type: ignore[no-untyped-def]
    """Add Gaussian noise to a panel, and keep positions between their walls."""
    for layer in range(net.sizes.size):
        if net.frozen[layer]:
            continue
        low, high = net.boxes[layer, 1], net.boxes[layer, 2]
        for i in range(net.rows[layer], net.rows[layer] + net.sizes[layer]):
            for lane in range(LANES):
                e = i * LANES + lane
                value = panel[e] + sigma * normal(seed, tile * LANES + lane, step, i)
                panel[e] = min(max(value, low), high) if walls else value


@njit(cache=True)
def _find_cycles(p, net, motion, before, tile, residual, two_cycle):  # type: ignore[no-untyped-def]
    """Take two steps more: a lane that comes back to where it was, having left it, is in a 2-cycle."""
    before[:] = p.x
    for _ in range(2):
        p.seen[:] = p.x
        _sweep(p, net, 0.0, motion.kick, motion.drift, 0.0, 0.0)
    for lane in range(min(LANES, residual.size - tile * LANES)):
        s, back = tile * LANES + lane, 0.0
        for e in range(lane, p.x.size, LANES):
            back = max(back, abs(p.x[e] - before[e]))
        two_cycle[s] = p.lanes[lane] > 0.0 and back < 0.05 * residual[s]


@njit(nogil=True, cache=True, error_model="numpy")
def relax_tiles(  # type: ignore[no-untyped-def]
    first, last, net, motion, forces, start, momentum, spring, states, steps, residual, two_cycle
):
    """Relax the samples first·LANES … last·LANES − 1 and write what became of them.

    Every lane stops on its own, at the first step in which none of its units had to move, so that its residual
    is exact for its state. Lanes that never stop are looked at once more without moving them.

    Args:
        first: first tile.
        last: one past the last tile.
        net: the network.
        motion: how it moves.
        forces: −fields (b, n), the springs' targets folded in.
        start: positions to start from (b, n).
        momentum: momenta to start from (b, n), overwritten with the last ones; (0, n) starts at rest.
        spring: stiffness that a nudge adds (b,).
        states: written, (b, n).
        steps: written, (b,): steps in which anything moved.
        residual: written, (b,).
        two_cycle: written, (b,): the synchronous steps of a sample without momentum flip between two states.
    """
    b, n = forces.shape
    kind = net.w.dtype
    x = np.empty(n * LANES, kind)
    p = Panels(
        x, np.empty(n * LANES, kind), np.empty(n * LANES, kind),
        np.empty(n * LANES, kind) if motion.synchronous else x,
        np.empty(LANES, kind), np.zeros(LANES, kind), np.empty(3 * LANES, kind), np.empty(8, kind),
    )  # fmt: skip
    before, quiet = np.empty(n * LANES, kind), np.empty(n * LANES, kind)
    for tile in range(first, last):
        _load(p, tile, forces, start, momentum, spring)
        if motion.force_noise > 0.0:
            quiet[:] = p.h
        running = LANES
        for t in range(motion.keep.size):
            if motion.synchronous:
                p.seen[:] = p.x
            if motion.force_noise > 0.0:
                p.h[:] = quiet
                _shake(p.h, net, motion.force_noise, motion.seed, tile, 2 * t, False)
            tolerance = 0.0 if motion.ramp[t] > 0.0 else motion.tolerance
            _sweep(p, net, motion.keep[t], motion.kick, motion.drift, motion.ramp[t], tolerance)
            if motion.state_noise > 0.0:
                _shake(p.x, net, motion.state_noise, motion.seed, tile, 2 * t + 1, True)
            for lane in range(LANES):
                if p.lanes[lane] > 0.0 and p.lanes[2 * LANES + lane] == 0.0:
                    p.lanes[lane] = 0.0
                    running -= 1
                    s = tile * LANES + lane
                    if s < b:
                        steps[s] = t
                        residual[s] = p.lanes[LANES + lane]
            if running == 0:
                break
        for lane in range(min(LANES, b - tile * LANES)):
            for i in range(n):
                states[tile * LANES + lane, i] = p.x[i * LANES + lane]
            if momentum.shape[0]:
                for i in range(n):
                    momentum[tile * LANES + lane, i] = p.y[i * LANES + lane]
        if running == 0:
            continue
        if motion.force_noise > 0.0:
            p.h[:] = quiet
        p.seen[:] = p.x
        _sweep(p, net, 0.0, 0.0, 0.0, 0.0, 0.0)
        for lane in range(min(LANES, b - tile * LANES)):
            if p.lanes[lane] > 0.0:
                steps[tile * LANES + lane] = motion.keep.size
                residual[tile * LANES + lane] = p.lanes[LANES + lane]
        if motion.synchronous and motion.keep[motion.keep.size - 1] == 0.0:
            _find_cycles(p, net, motion, before, tile, residual, two_cycle)
