"""Kernels of phases against their plain numpy twins in float64."""

import numpy as np
import pytest

from isingeq.kernels.circle import normals, to_circle
from isingeq.kernels.lanes import LANES
from isingeq.kernels.panels import Batch, Pulls, fixed, no_pulls
from isingeq.kernels.phases import WIDE, Circuit, Flow, Found, relax_tiles, relax_wide
from isingeq.kernels.streams import frequencies, scatter, streams
from isingeq.kernels.torque import torque

SIZES = (13, 5, 3)  # blocks of ROWS units and what is left over
N = sum(SIZES)
A, B, C = (0, 13), (13, 18), (18, 21)
EACH = pytest.mark.parametrize("kind", [np.float32, np.float64])


def couplings(seed=0):
    """A matrix (n, n) of two blocks and a few single edges, and its parts."""
    rng = np.random.default_rng(seed)
    J = np.zeros((N, N))
    J[slice(*A), slice(*B)] = rng.normal(size=(13, 5)) / 4
    J[slice(*B), slice(*C)] = rng.normal(size=(5, 3)) / 2
    sparse = np.zeros((N, N))
    for i, j in ((0, 20), (3, 7), (13, 15), (7, 19)):
        sparse[i, j] = rng.normal()
    return J + J.T, sparse + sparse.T


def circuit(kind, seed=0, free=None):
    dense, sparse = couplings(seed)
    spans, w, table = ((A, B), (B, A), (B, C), (C, B)), [], []
    for target, source in spans:
        part = dense[slice(*target), slice(*source)]
        table.append([target[0], part.shape[0], source[0], part.shape[1], sum(x.size for x in w)])
        w.append(part.ravel())
    rows = [np.flatnonzero(row) for row in sparse]
    return Circuit(
        w=np.concatenate(w).astype(kind),
        blocks=np.array(table, np.int64),
        starts=np.cumsum([0, *map(len, rows)]).astype(np.int64),
        columns=np.concatenate(rows).astype(np.int32),
        values=sparse[sparse != 0].astype(kind),
        K=np.random.default_rng(seed + 1).normal(size=N).astype(kind) / 5,
        free=np.ones(N, np.int64) if free is None else free.astype(np.int64),
    )


def flow(steps, kind, **changes):
    plain = Flow(
        gain=np.ones(steps), pump=np.zeros(steps), drift=np.zeros(N, kind), dt=0.1, keep=-1.0,
        sigma=np.zeros(steps), stiff=1.5, tolerance=0.0, first=0,
    )  # fmt: skip
    return plain._replace(**changes)


def pulls(rows, kind, rng):
    return Pulls(
        first_spring=C[0], spring=rng.normal(size=rows).astype(kind),
        targets=rng.choice([-1.0, 1.0], (rows, 3)).astype(kind),
        first_pull=B[0], pull=rng.uniform(0, 1, rows).astype(kind),
        aims=rng.uniform(-1, 1, (rows, 5)).astype(kind), floor=1e-5,
    )  # fmt: skip


def batch(rows, kind, *, seed=2, nudged=True, carried=False):
    rng = np.random.default_rng(seed)
    return Batch(
        fields=fixed(rng.normal(size=(rows, 2 * N)).astype(kind)),
        keys=streams(seed, rows, 1),
        pulls=pulls(rows, kind, rng) if nudged else no_pulls(rows, kind),
        phases=rng.uniform(-1, 1, (rows, N)).astype(kind),
        velocity=np.zeros((rows if carried else 0, N), kind),
    )


def found(rows):
    return Found(np.full(rows, -1, np.int64), np.zeros(rows))


def local_field(phi, circuit, batch):
    dense, sparse = couplings()
    z = np.cos(phi), np.sin(phi)
    x, y = (
        part @ (dense + sparse) + batch.fields[:, k::2].astype(float) for k, part in enumerate(z)
    )
    p = batch.pulls
    if p.targets.shape[1]:
        s = slice(p.first_spring, p.first_spring + p.targets.shape[1])
        x[:, s] += p.spring[:, None] * (z[0][:, s] - p.targets)
        s = slice(p.first_pull, p.first_pull + p.aims.shape[1])
        q = p.pull[:, None] / (1 + p.floor + np.cos(phi[:, s] - p.aims))
        x[:, s] -= q * np.cos(p.aims)
        y[:, s] -= q * np.sin(p.aims)
    return x, y


def twin(circuit, flow, batch):
    """Follow the equations in the docstrings, all samples at once, in float64."""
    phi, v = batch.phases.astype(float), np.zeros(batch.phases.shape)
    free = circuit.free > 0
    for t in range(flow.gain.size):
        x, y = (flow.gain[t] * part for part in local_field(phi, circuit, batch))
        k = 4 * circuit.K.astype(float) - 2 * flow.pump[t]
        slope = y * np.cos(phi) - x * np.sin(phi) - k * np.sin(phi) * np.cos(phi)
        if flow.keep >= 0:
            v = flow.keep * v - flow.dt * slope / (np.hypot(x, y) + np.abs(k) + flow.stiff)
            step = v
        else:
            step = flow.drift - flow.dt * slope
        phi = np.where(free, phi + step, phi)
    x, y = (flow.gain[-1] * part for part in local_field(phi, circuit, batch))
    k = 4 * circuit.K - 2 * flow.pump[-1]
    slope = y * np.cos(phi) - x * np.sin(phi) - k * np.sin(phi) * np.cos(phi)
    return phi, np.abs(np.where(free, slope, 0)).max(axis=1)


@pytest.mark.parametrize(("kind", "allowed"), [(np.float32, 2.5e-7), (np.float64, 5e-16)])
def test_sine_and_cosine_are_right_to_the_last_bits(kind, allowed):
    rows = 600
    near = np.random.default_rng(0).uniform(-4, 4, rows * LANES // 2)
    far = np.random.default_rng(1).uniform(-3000, 3000, rows * LANES // 2)
    edges = np.pi * np.arange(-8, 8) / 2
    phi = np.concatenate([near, far]).astype(kind)
    phi[: edges.size] = edges
    z = np.empty(2 * phi.size, kind)
    to_circle(phi, z, rows, 1)
    c, s = z.reshape(rows, 2, LANES).transpose(1, 0, 2).reshape(2, -1)
    exact = phi.astype(np.longdouble)
    assert np.abs(c - np.cos(exact)).max() < allowed
    assert np.abs(s - np.sin(exact)).max() < allowed


def scrambled(keys, counters):
    with np.errstate(over="ignore"):
        z = counters[:, None] + keys[None, :]
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def test_normal_numbers_are_box_muller_of_the_scrambled_counters():
    rng = np.random.default_rng(3)
    keys, counters = (rng.integers(0, 2**64, size, dtype=np.uint64) for size in (LANES, 20_000))
    out = np.empty(counters.size * LANES, np.float32)
    normals(keys, counters, out)
    z = scrambled(keys, counters)
    u = ((z >> np.uint64(40)).astype(float) + 0.5) * 2.0**-24
    around = (z & np.uint64(0xFFFFFF)).astype(float) * 2.0**-24
    exact = np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * around)
    np.testing.assert_allclose(out.reshape(exact.shape), exact, atol=5e-4)
    drawn = out.astype(float)
    assert abs(drawn.mean()) < 5 / np.sqrt(drawn.size)
    assert abs(drawn.var() - 1) < 5 * np.sqrt(2 / drawn.size)
    assert abs((drawn**4).mean() - 3) < 5 * np.sqrt(96 / drawn.size)


@EACH
def test_torque_is_the_product_with_all_couplings(kind):
    made = circuit(kind)
    z = np.random.default_rng(4).normal(size=(N, 2, LANES)).astype(kind)
    g = np.full(z.size, np.nan, kind)
    torque(z.ravel(), g, made.w, made.blocks, made.starts, made.columns, made.values)
    exact = np.einsum("ij,jcl->icl", sum(couplings()), z.astype(float))
    np.testing.assert_allclose(
        g.reshape(z.shape), exact, atol=1e-13 if kind is np.float64 else 1e-5
    )


CASES = {
    "oscillators": {},
    "driven": {"gain": np.linspace(0.5, 2, 7), "pump": np.linspace(-0.5, 1, 7)},
    "drifting": {"drift": np.linspace(-0.2, 0.1, N)},
    "heavy ball": {"keep": 0.6, "dt": 1.2},
}


@EACH
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("held", [False, True])
def test_steps_are_those_of_the_twin(kind, case, held):
    rows, steps = LANES + 5, 7  # the second tile is not full
    free = np.arange(N) % 4 != 1 if held else None
    made = circuit(kind, free=free)
    changes = dict(CASES[case])
    if "drift" in changes:
        changes["drift"] = changes["drift"].astype(kind)
    moved = batch(rows, kind, nudged=case != "driven", carried=case == "heavy ball")
    expected, residual = twin(made, flow(steps, kind, **changes), moved)
    seen = found(rows)
    relax_tiles(0, 2, made, flow(steps, kind, **changes), moved, seen)
    tolerance = 1e-12 if kind is np.float64 else 2e-5
    np.testing.assert_allclose(moved.phases, expected, atol=tolerance)
    np.testing.assert_allclose(seen.residual, residual, atol=2 * tolerance)
    assert (seen.steps == steps).all()


@pytest.mark.parametrize("rows", [WIDE + 3, 2 * LANES])
@pytest.mark.parametrize("keep", [-1.0, 0.6])
@pytest.mark.parametrize("tolerance", [0.0, 0.3])
def test_products_of_matrices_move_phases_as_tiles_do(rows, keep, tolerance):
    """To rounding; with a tolerance to that of a step of a unit that rests in one and not in the other."""
    made = circuit(np.float32)
    dense, sparse = couplings()
    tiles, wide = (batch(rows, np.float32, carried=keep >= 0) for _ in range(2))
    seen = found(rows), found(rows)
    how = flow(60, np.float32, keep=keep, tolerance=tolerance)
    relax_tiles(0, -(-rows // LANES), made, how, tiles, seen[0])
    none = made._replace(
        w=made.w[:0], blocks=made.blocks[:0], starts=made.starts[:1], columns=made.columns[:0],
        values=made.values[:0],
    )  # fmt: skip
    blocks = [
        (target, source, dense[slice(*target), slice(*source)].astype(np.float32))
        for target, source in ((A, B), (B, A), (B, C), (C, B))
    ]
    blocks.append(((0, N), (0, N), sparse.astype(np.float32)))
    relax_wide(0, -(-rows // WIDE), blocks, none, how, wide, seen[1])
    allowed = max(2e-4, 0.1 * tolerance)
    np.testing.assert_allclose(wide.phases, tiles.phases, atol=allowed)
    np.testing.assert_allclose(seen[1].residual, seen[0].residual, atol=4 * allowed)
    assert np.abs(seen[0].steps - seen[1].steps).max() <= 2
    assert (seen[0].steps < 60).any() == (tolerance > 0)


@EACH
def test_a_sample_that_rests_is_left_alone_with_its_exact_residual(kind):
    rows = 2 * LANES
    made, moved, seen = circuit(kind), batch(rows, kind, nudged=False), found(rows)
    relax_tiles(0, 2, made, flow(3000, kind, tolerance=1e-3), moved, seen)
    settled = seen.steps < 3000
    assert settled.any()
    _, residual = twin(made, flow(1, kind, dt=0.0), moved)
    np.testing.assert_allclose(seen.residual, residual, rtol=1e-3, atol=1e-6)
    assert (seen.residual[settled] < 1e-3).all()
    again = found(rows)
    before = moved.phases.copy()
    relax_tiles(0, 2, made, flow(3000, kind, tolerance=1e-3), moved, again)
    np.testing.assert_array_equal(moved.phases[settled], before[settled])
    assert (again.steps[settled] == 0).all()


@pytest.mark.parametrize("keep", [-1.0, 0.6])
def test_tiles_do_not_depend_on_what_stands_beside_a_sample(keep):
    rows = 3 * LANES
    made = circuit(np.float32)
    sigma = np.full(9, 0.05 if keep < 0 else 0.0)
    whole = batch(rows, np.float32, carried=keep >= 0)
    start = whole.phases.copy()
    relax_tiles(0, 3, made, flow(9, np.float32, keep=keep, sigma=sigma), whole, found(rows))
    first = 2 * LANES
    rest = rows - first - 3
    part = slice(first, first + rest)
    p = whole.pulls
    alone = Batch(
        fields=fixed(whole.fields[part]), keys=whole.keys[part].copy(),
        pulls=p._replace(spring=p.spring[part], targets=p.targets[part], pull=p.pull[part], aims=p.aims[part]),
        phases=start[part].copy(), velocity=np.zeros((rest if keep >= 0 else 0, N), np.float32),
    )  # fmt: skip
    relax_tiles(0, 1, made, flow(9, np.float32, keep=keep, sigma=sigma), alone, found(rest))
    np.testing.assert_array_equal(alone.phases, whole.phases[part])


def test_noise_differs_between_steps_units_and_samples():
    rows = LANES
    made = circuit(np.float32)._replace(w=np.zeros(170, np.float32), values=np.zeros(8, np.float32))
    made = made._replace(K=np.zeros(N, np.float32))
    still = batch(rows, np.float32, nudged=False)._replace(
        fields=fixed(np.zeros((rows, 2 * N), np.float32)), phases=np.zeros((rows, N), np.float32)
    )
    steps = []
    for t in range(3):
        before = still.phases.copy()
        how = flow(1, np.float32, sigma=np.full(1, 1.0), first=t)
        relax_tiles(0, 1, made, how, still, found(rows))
        steps.append(still.phases - before)
    drawn = np.array(steps).ravel()
    assert np.unique(drawn.round(4)).size > 0.95 * drawn.size
    once = still._replace(phases=np.zeros((rows, N), np.float32))
    relax_tiles(0, 1, made, flow(3, np.float32, sigma=np.ones(3)), once, found(rows))
    np.testing.assert_allclose(once.phases, still.phases, atol=1e-6)


def test_streams_are_of_the_sample_and_the_read_alone():
    keys = streams(7, 3, 4).reshape(3, 4)
    assert np.unique(keys).size == 12
    np.testing.assert_array_equal(keys[:2, :2], streams(7, 2, 2).reshape(2, 2))
    assert not np.intersect1d(keys, streams(8, 3, 4)).size


def test_phases_are_scattered_evenly_over_the_circle():
    phases = np.empty((400, 50), np.float32)
    scatter(streams(1, 400, 1), phases)
    assert np.abs(phases).max() <= np.pi + 1e-6
    counts = np.histogram(phases, 20, (-np.pi, np.pi))[0]
    chi = ((counts - 1000) ** 2 / 1000).sum()
    assert abs(chi - 19) < 5 * np.sqrt(38)
    narrow = np.empty((3, 20), np.float32)
    scatter(streams(1, 3, 1), narrow)
    np.testing.assert_array_equal(narrow, phases[:3, :20])


def test_frequencies_are_normal_numbers_of_the_unit():
    drawn = frequencies(3, 5000)
    assert abs(drawn.mean()) < 5 / np.sqrt(5000)
    assert abs(drawn.std() - 1) < 5 / np.sqrt(10_000)
    np.testing.assert_array_equal(drawn[:10], frequencies(3, 10))
