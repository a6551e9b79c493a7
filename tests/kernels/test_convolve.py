"""Convolutions on lanes against their twins, loops over taps in numpy."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numba import njit
from numpy.typing import NDArray

from isingeq.couplings.window import Window
from isingeq.kernels import convolve
from isingeq.kernels.convolve import Maps, Room, aligned, lay_out, minimal_tile, pack, room
from isingeq.kernels.lanes import LANES
from isingeq.kernels.pooling import FORGET, KEEP, OBEY
from isingeq.kernels.winograd import TILES, matrices

Floats = NDArray[np.floating]
GAP = 3
"""Rows of the panels before, between and behind the layers, which nothing may touch."""


@njit
def both(z, y, x, maps, number, room, how):  # type: ignore[no-untyped-def]
    convolve.up(z, x, maps, number, room, how)
    convolve.down(y, x, maps, number, room)


def sums(window: Window, w: Floats, a: Floats) -> Floats:
    """Sums before pooling (b, rows, columns, o, pool²), places of a pool in row-major order."""
    p, s, q = window.padding, window.stride, window.pool
    rows, columns, o = window.swept
    a = np.pad(a, ((0, 0), (p, p), (p, p), (0, 0)))
    z = np.zeros((len(a), rows, columns, o))
    for dy in range(window.kernel):
        for dx in range(window.kernel):
            z += (
                a[:, dy : dy + s * (rows - 1) + 1 : s, dx : dx + s * (columns - 1) + 1 : s]
                @ w[dy, dx]
            )
    z = z.reshape(len(a), rows // q, q, columns // q, q, o).transpose(0, 1, 3, 5, 2, 4)
    return z.reshape(len(a), rows // q, columns // q, o, q * q)


def pooled(window: Window, z: Floats) -> tuple[Floats, Floats]:
    """Pools of sums, and the share of every place in them."""
    if window.pooling == "average":
        return z.mean(-1), np.full(z.shape, 1 / z.shape[-1])
    if window.pooling == "max":
        return z.max(-1), np.eye(z.shape[-1])[z.argmax(-1)]
    rise = np.exp(window.sharpness * z)
    return np.log(rise.mean(-1)) / window.sharpness, rise / rise.sum(-1, keepdims=True)


def back(window: Window, w: Floats, shares: Floats, t: Floats) -> Floats:
    """Transpose of `sums` and `pooled` at fixed shares."""
    p, s, q = window.padding, window.stride, window.pool
    rows, columns, o = window.swept
    height, width, c = window.source
    d = (t[..., None] * shares).reshape(len(t), rows // q, columns // q, o, q, q)
    d = d.transpose(0, 1, 4, 2, 5, 3).reshape(len(t), rows, columns, o)
    a = np.zeros((len(t), height + 2 * p, width + 2 * p, c))
    for dy in range(window.kernel):
        for dx in range(window.kernel):
            a[:, dy : dy + s * (rows - 1) + 1 : s, dx : dx + s * (columns - 1) + 1 : s] += (
                d @ w[dy, dx].T
            )
    return a[:, p : p + height, p : p + width]


class Case:
    """One convolution in panels of one tile of samples, with gaps around its layers."""

    def __init__(self, window: Window, dtype: type, *, seed: int = 1) -> None:
        rng = np.random.default_rng(seed)
        self.window, self.dtype = window, dtype
        self.w = rng.normal(size=window.shape).astype(dtype)
        self.a = rng.normal(size=(LANES, *window.source)).astype(dtype)
        self.t = rng.normal(size=(LANES, *window.target)).astype(dtype)
        size = self.a[0].size
        self.source = slice(GAP, GAP + size)
        self.target = slice(2 * GAP + size, 2 * GAP + size + self.t[0].size)
        self.maps: Maps = pack(
            lay_out([(window, self.source.start, self.target.start)]), [self.w], dtype
        )
        self.room: Room = room(self.maps, dtype)

    def panel(self) -> Floats:
        """States as a panel (n, LANES)."""
        x = np.full((self.target.stop + GAP, LANES), np.nan, self.dtype)
        x[self.source] = self.a.reshape(LANES, -1).T
        x[self.target] = self.t.reshape(LANES, -1).T
        return x

    def run(self, *, how: int = KEEP) -> tuple[Floats, Floats]:
        """What is added on the way up and on the way down, to ones."""
        x, z, y = (aligned(self.panel().size, self.dtype) for _ in range(3))
        x[:], z[:], y[:] = self.panel().ravel(), 1, 1
        both(z, y, x, self.maps, 0, self.room, how)
        up, down = z.reshape(-1, LANES) - 1, y.reshape(-1, LANES) - 1
        assert np.flatnonzero(np.delete(up, np.r_[self.target], axis=0)).size == 0
        assert np.flatnonzero(np.delete(down, np.r_[self.source], axis=0)).size == 0
        return up[self.target].T.reshape(self.t.shape), down[self.source].T.reshape(self.a.shape)


PLAIN = [
    Window((8, 6, 3), 6, 3, padding=1, pool=2),
    Window((8, 6, 3), 7, 3, padding=1, pool=2, pooling="average"),
    Window((8, 6, 9), 6, 3, padding=1, pool=2, pooling="soft", sharpness=1.5),
    Window((11, 9, 3), 6, 3, stride=2, padding=1),
    Window((9, 12, 2), 5, 3, padding=1, pool=3),
    Window((9, 12, 2), 5, 3, padding=1, pool=3, pooling="soft"),
    Window((10, 12, 5), 5, 4, stride=2, padding=1),
    Window((9, 15, 4), 5, 3, stride=2, padding=2, pool=3, pooling="average"),
    Window((6, 8, 3), 4, 1, pool=2),
    Window((8, 8, 3), 4, 2, stride=2, pool=2),
    Window((7, 10, 3), 4, 1, stride=3),
    Window((4, 3, 2), 3, 7, padding=3),
]
MINIMAL = [
    Window((4, 4, 17), 22, 3, padding=1, pool=2),
    Window((4, 4, 17), 22, 3, padding=1),
    Window((6, 6, 33), 21, 3, padding=1, pool=2),
    Window((8, 16, 30), 22, 3, padding=1, pool=4),
    Window((12, 8, 5), 7, 5, pool=2),
    Window((20, 12, 6), 5, 5, padding=2, pool=2, pooling="soft"),
    Window((9, 13, 6), 10, 5, padding=1),
]


def in_double_precision(windows: Sequence[Window]) -> list[Any]:
    """Windows for tests in float64: minimal filtering repeats float32 there, for seconds of compiling."""
    slow = pytest.mark.slow
    return [pytest.param(w, marks=slow if w in MINIMAL else (), id=str(w)) for w in windows]


@pytest.mark.parametrize("window", PLAIN + MINIMAL, ids=str)
def test_both_ways_agree_with_the_twin(window: Window) -> None:
    agrees_with_the_twin(window, np.float32)


@pytest.mark.parametrize("window", in_double_precision(PLAIN + MINIMAL))
def test_both_ways_agree_with_the_twin_in_double_precision(window: Window) -> None:
    agrees_with_the_twin(window, np.float64)


def agrees_with_the_twin(window: Window, dtype: type) -> None:
    case = Case(window, dtype)
    minimal = window in MINIMAL
    assert bool(minimal_tile(window.folded if window.linear else window)) == minimal
    w = case.w.astype(float)
    expected, shares = pooled(window, sums(window, w, case.a.astype(float)))
    found, down = case.run()
    close = 1e-12 if not minimal else 1e-11
    if dtype is np.float32:
        close = 2e-6 if not minimal else 1e-5
    # sums of standard normal products: their standard deviation is the root of their number
    reach = np.sqrt(window.kernel**2 * window.source[2])
    slope = window.sharpness * reach if window.pooling == "soft" else 1.0
    assert abs(found - expected).max() < close * reach * 5
    assert (
        abs(down - back(window, w, shares, case.t.astype(float))).max() < close * reach * 20 * slope
    )


@pytest.mark.parametrize(
    "window", in_double_precision([w for w in PLAIN + MINIMAL if w.pooling != "soft"])
)
def test_the_way_down_is_the_transpose(window: Window) -> None:
    # at the choice that a makes, P(W a) is linear in a: ⟨P(W a), t⟩ = ⟨a, Wᵀ t⟩
    case = Case(window, np.float64, seed=2)
    up, down = case.run()
    left, right = (up * case.t).sum((1, 2, 3)), (case.a * down).sum((1, 2, 3))
    scale = np.sqrt((up**2 * case.t**2).sum((1, 2, 3)))
    assert (abs(left - right) < 1e-11 * scale).all()


@pytest.mark.parametrize("window", [PLAIN[0], PLAIN[4], MINIMAL[0], MINIMAL[4]], ids=str)
def test_the_first_of_equals_is_chosen(window: Window) -> None:
    case = Case(window, np.float32)
    case.a[...] = 0.0
    _, down = case.run()
    shares = np.zeros((*case.t.shape, window.pool**2))
    shares[..., 0] = 1.0
    expected = back(window, case.w.astype(float), shares, case.t.astype(float))
    assert abs(down - expected).max() < 1e-4
    assert abs(expected).max() > 1.0


@pytest.mark.parametrize("window", [PLAIN[0], PLAIN[2], MINIMAL[4], MINIMAL[5]], ids=str)
def test_choices_are_kept_only_when_asked(window: Window) -> None:
    case = Case(window, np.float32)
    _, before = case.run()
    states = case.a
    case.a = -states
    up, kept = case.run(how=FORGET)
    expected, _ = pooled(window, sums(window, case.w, case.a))
    assert abs(up - expected).max() < 1e-3
    np.testing.assert_array_equal(kept, before)
    _, after = case.run()
    assert abs(after - before).max() > 0.1


@pytest.mark.parametrize("window", [PLAIN[0], PLAIN[4], MINIMAL[4]], ids=str)
def test_a_choice_is_gone_by_where_another_would_be_made(window: Window) -> None:
    case = Case(window, np.float32)
    _, before = case.run()
    _, shares = pooled(window, sums(window, case.w, case.a))
    case.a = np.random.default_rng(9).normal(size=case.a.shape).astype(np.float32)
    up, kept = case.run(how=OBEY)
    places = sums(window, case.w, case.a)
    assert abs(up - (places * shares).sum(-1)).max() < 1e-3
    assert abs(up - places.max(-1)).max() > 0.1
    np.testing.assert_array_equal(kept, before)


@pytest.mark.parametrize(
    "window", [PLAIN[1], PLAIN[4], MINIMAL[0], MINIMAL[2], MINIMAL[4]], ids=str
)
def test_a_lane_sees_no_other(window: Window) -> None:
    case = Case(window, np.float32)
    up, down = case.run()
    others = np.arange(LANES) != 5
    case.a[others], case.t[others] = np.nan, np.inf
    alone = case.run()
    np.testing.assert_array_equal(alone[0][5], up[5])
    np.testing.assert_array_equal(alone[1][5], down[5])


def test_convolutions_share_maps_and_room() -> None:
    windows = [MINIMAL[5], PLAIN[0], PLAIN[2], MINIMAL[4]]
    cases = [Case(window, np.float32, seed=k) for k, window in enumerate(windows)]
    places = [(c.window, c.source.start, c.target.start) for c in cases]
    maps = pack(lay_out(places), [c.w for c in cases], np.float32)
    shared = room(maps, np.float32)
    expected = [case.run() for case in cases]
    for how in (KEEP, FORGET):  # the second round goes back by the choices of the first
        for number, case in enumerate(cases):
            x, z, y = (aligned(case.panel().size, np.float32) for _ in range(3))
            x[:] = case.panel().ravel()
            both(z, y, x, maps, number, shared, how)
            up, down = z.reshape(-1, LANES), y.reshape(-1, LANES)
            np.testing.assert_allclose(
                up[case.target].T.reshape(case.t.shape), expected[number][0], atol=1e-4
            )
            np.testing.assert_allclose(
                down[case.source].T.reshape(case.a.shape), expected[number][1], atol=1e-4
            )


@pytest.mark.parametrize(("tile", "kernel"), TILES)
def test_matrices_filter(tile: int, kernel: int) -> None:
    of = matrices(tile, kernel)
    rng = np.random.default_rng(0)
    d, g = rng.normal(size=tile + kernel - 1), rng.normal(size=kernel)
    found = of.result @ ((of.weights @ g) * (of.data @ d))
    np.testing.assert_allclose(found, np.correlate(d, g, "valid"), atol=1e-13)


def test_panels_start_at_a_line_of_the_cache() -> None:
    for dtype in (np.float32, np.float64):
        assert aligned(48, dtype).ctypes.data % 64 == 0
        assert aligned(48, dtype).shape == (48,)
