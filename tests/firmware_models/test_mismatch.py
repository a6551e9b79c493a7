"""How chips are made: every draw has the spread it says, is its own stream, and belongs to its chip."""

from dataclasses import fields, replace

import numpy as np
import pytest

from firmware_models.analog import Drift, Imperfections, Mismatch, noise_key
from firmware_models.wires import Topology, Wires
from isingeq.errors import ConfigError

KINGS = Wires.of(Topology("kings", 30, 20), None)
ALL = Wires.of(Topology("all"), 60)
WRONG = Imperfections(
    gain_sigma=0.1,
    coupling_offset_sigma=0.3,
    field_gain_sigma=0.2,
    offset_sigma=2.0,
    stuck_rate=0.1,
    dead_spin_rate=0.05,
    dead_coupler_rate=0.15,
)
ARRAYS = [entry.name for entry in fields(Mismatch) if entry.name != "crosstalk"]


def close(values, sigma):
    """Mean 0 and this spread, within five standard errors."""
    error = sigma / np.sqrt(values.size)
    return abs(values.mean()) < 5 * error and abs(values.std() - sigma) < 5 * error / np.sqrt(2)


@pytest.mark.parametrize("wires", [KINGS, ALL], ids=["kings", "all"])
def test_spreads_and_shares_are_as_they_say(wires):
    made = [Mismatch.draw(WRONG, wires, seed=seed) for seed in range(20)]
    pooled = {name: np.concatenate([getattr(m, name) for m in made]) for name in ARRAYS}
    assert close(pooled["coupling_gain"], 0.1)
    assert close(pooled["coupling_offset"], 0.3)
    assert close(pooled["field_gain"], 0.2)
    assert close(pooled["field_offset"], 2.0)
    dead, stuck = pooled["dead_units"], pooled["stuck"]
    for share, rate in [(dead.mean(), 0.05), ((stuck != 0).mean(), 0.1 * 0.95)]:
        assert abs(share - rate) < 5 * np.sqrt(rate / dead.size)
    held = stuck[stuck != 0]
    assert abs(held.mean()) < 5 / np.sqrt(held.size)
    # A coupler is dead by itself or at either end; couplers of one spin die together, which widens the error.
    alive = 0.85 * 0.95**2
    degree = 2 * wires.num_edges / wires.n
    spread = np.sqrt(alive / pooled["dead_edges"].size * (1 + degree))
    assert abs(1 - pooled["dead_edges"].mean() - alive) < 5 * spread


def test_a_chip_is_a_function_of_its_numbers():
    one, same = (Mismatch.draw(WRONG, KINGS, uid=3, seed=4) for _ in range(2))
    for other in ({"uid": 3, "seed": 5}, {"uid": 4, "seed": 4}, {"uid": 4, "seed": 3}):
        another = Mismatch.draw(WRONG, KINGS, **other)
        for name in ARRAYS:
            assert np.array_equal(getattr(one, name), getattr(same, name))
            assert not np.array_equal(getattr(one, name), getattr(another, name))
    assert noise_key(3, 4) == noise_key(3, 4) != noise_key(4, 3)


def test_each_kind_has_a_stream_of_its_own():
    """One sigma moves one array, in proportion: a study of it is not a study of other chips."""
    before = Mismatch.draw(WRONG, KINGS, seed=1)
    for sigma, array in [
        ("gain_sigma", "coupling_gain"),
        ("coupling_offset_sigma", "coupling_offset"),
        ("field_gain_sigma", "field_gain"),
        ("offset_sigma", "field_offset"),
    ]:
        wider = replace(WRONG, **{sigma: 3 * getattr(WRONG, sigma)})
        after = Mismatch.draw(wider, KINGS, seed=1)
        for name in ARRAYS:
            times = 3 if name == array else 1
            np.testing.assert_allclose(
                getattr(after, name), times * getattr(before, name), rtol=1e-12
            )
    normals = [getattr(before, k) / k_sigma for k, k_sigma in
               (("coupling_gain", 0.1), ("coupling_offset", 0.3))]  # fmt: skip
    assert abs(np.corrcoef(*normals)[0, 1]) < 5 / np.sqrt(normals[0].size)


def test_it_does_to_values_what_the_equations_say():
    wires = Wires.of(Topology("edges", edges=((0, 1), (0, 2), (1, 2), (2, 3))), None)
    wrong = Imperfections(
        gain_sigma=0.5, coupling_offset_sigma=0.5, field_gain_sigma=0.5, offset_sigma=1.0, crosstalk=0.1,
        dead_couplers=((1, 2),),
    )  # fmt: skip
    m = Mismatch.draw(wrong, wires, seed=9)
    J, places = np.array([0.7, -0.4, 2.0]), np.array([3, 0, 2])
    due = [(1 + m.coupling_gain[at]) * j + m.coupling_offset[at] for at, j in zip(places, J, strict=True)]  # fmt: skip
    np.testing.assert_allclose(m.couplings(J, places), [*due[:2], 0.0])
    h = np.array([[1.0, -2.0, 0.5, 4.0], [0.0, 0.0, 3.0, 0.0]])
    beside = np.array([[0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 1], [0, 0, 1, 0]])
    np.testing.assert_allclose(
        m.response(h, wires), h * (1 + m.field_gain) + 0.1 * h @ beside, rtol=1e-12
    )
    np.testing.assert_allclose(
        m.response(h[:, :3], wires), h[:, :3] * (1 + m.field_gain[:3]) + 0.1 * h[:, :3] @ beside[:3, :3]
    )  # fmt: skip


def test_crosstalk_reaches_every_other_spin_where_all_are_coupled():
    m = Mismatch.draw(Imperfections(crosstalk=0.2), Wires.of(Topology("all"), 3), seed=0)
    h = np.array([[1.0, 2.0, 4.0]])
    np.testing.assert_allclose(m.response(h, Wires.of(Topology("all"), 3)), [[2.2, 3.0, 4.6]])


def test_what_is_named_is_stuck_or_dead():
    wrong = Imperfections(stuck_spins=(7,), dead_spins=(31,), dead_couplers=((0, 1),))
    m = Mismatch.draw(wrong, KINGS, seed=2)
    assert np.flatnonzero(m.stuck).tolist() == [7]
    assert np.flatnonzero(m.dead_units).tolist() == [31]
    c = KINGS.connectivity
    gone = {(int(c.i[at]), int(c.j[at])) for at in np.flatnonzero(m.dead_edges)}
    assert gone == {(0, 1)} | {(min(31, k), max(31, k)) for k in (10, 11, 12, 30, 32, 50, 51, 52)}


def test_an_ideal_chip_takes_no_memory_however_large():
    m = Mismatch.draw(Imperfections(), Wires.of(Topology("all"), 100_000), seed=0)
    assert m.coupling_gain.size == 100_000 * 99_999 // 2
    assert m.coupling_gain.strides == m.dead_edges.strides == (0,)


def test_drift_keeps_its_spread_and_forgets_with_its_time_constant():
    wrong = Imperfections(offset_sigma=3.0, drift_s=10.0)
    start = Mismatch.draw(wrong, Wires.of(Topology("all"), 8000), seed=1).field_offset
    drift = Drift(wrong, start, uid=0, seed=1)
    near, far = drift.to(5.0), drift.to(1000.0)
    for now in (near, far):
        assert close(now, 3.0)
    error = 5 / np.sqrt(start.size)
    assert abs((start * near).mean() / 9 - np.exp(-0.5)) < error
    assert abs((start * far).mean() / 9) < error
    assert np.array_equal(drift.to(1000.0), far)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"gain_sigma": float("nan")}, "gain_sigma must be 0 or more and finite, got nan"),
        ({"offset_sigma": -1.0}, "offset_sigma must be 0 or more"),
        ({"noise_sigma": float("inf")}, "noise_sigma must be"),
        ({"stuck_rate": 1.5}, "stuck_rate is a share from 0 to 1"),
        ({"readout_error": 0.6}, "readout_error must be 0 to 0.5"),
        ({"crosstalk": float("nan")}, "crosstalk must be finite"),
        ({"drift_s": 0.0}, "drift_s must be above 0"),
        ({"dead_spin_rate": 1.0}, "every spin is dead or stuck"),
        ({"stuck_spins": (600,)}, "stuck_spins names a spin that is not there; the chip has 0 to 599"),
        ({"dead_couplers": ((0, 5),)}, "dead_couplers names 0, 5: no coupler is there"),
        ({"dead_couplers": ((1, 0),)}, "i < j is needed"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(wrong, message):
    with pytest.raises(ConfigError, match=message) as raised:
        Mismatch.draw(Imperfections(**wrong), KINGS)
    assert "\n" not in str(raised.value)


def test_more_couplers_than_fit_are_refused_before_they_are_drawn():
    with pytest.raises(ConfigError, match="does not fit into memory"):
        Mismatch.draw(Imperfections(gain_sigma=0.1), Wires.of(Topology("all"), 100_000))
