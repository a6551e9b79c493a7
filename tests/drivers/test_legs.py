import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.descriptor import Schedules
from drivers.legs import gains, legs_of
from firmware_models.programme import Leg
from isingeq.errors import CapabilityError

BOARD = Schedules(
    beta_unit=1 / 64, most_gain=65535, most_shift=15, legs=32, most_sweeps=65535, reverse=True
)


def betas_of(legs, schedules=BOARD):
    run = np.concatenate([gains(leg) for leg in legs.table])
    return run / 2.0**legs.shift * schedules.beta_unit


@given(st.integers(0, 65535), st.integers(0, 65535), st.integers(1, 300))
def test_gains_are_those_of_the_firmware(first, last, sweeps):
    assert gains(np.array([first, last, sweeps])).tolist() == Leg(first, last, sweeps).gains


@pytest.mark.parametrize("betas", [[0.5], [0.02] * 60, np.linspace(0.01, 3, 100), [0.0, 0.1, 0.2]])
def test_straight_schedules_are_one_leg_and_met_to_a_step_of_the_gain(betas):
    legs = legs_of(np.array(betas, float), BOARD)
    assert len(legs.table) == 1
    assert betas_of(legs) == pytest.approx(betas, abs=2 * np.max(betas) / 32768)
    assert betas_of(legs)[-1] == pytest.approx(betas[-1], rel=2e-5)


def test_a_reverse_anneal_is_two_legs():
    down = np.linspace(2, 0.5, 40)
    legs = legs_of(np.concatenate([down, down[::-1][1:]]), BOARD)
    assert len(legs.table) == 2
    assert legs.table[:, 2].sum() == 79


def test_a_geometric_schedule_is_met_by_chords_and_says_how_well():
    betas = np.geomspace(0.01, 1, 200)
    legs = legs_of(betas, BOARD)
    assert 3 < len(legs.table) <= 32
    error = np.abs(betas_of(legs) / betas - 1).max()
    assert error == pytest.approx(legs.deviation, rel=1e-9)
    assert 0 < error < 0.01


def test_more_bends_than_legs_are_refused():
    betas = np.tile([1.0, 2.0, 4.0, 1.5], 40)
    with pytest.raises(CapabilityError, match="32 straight legs"):
        legs_of(betas, BOARD)


def test_colder_than_the_device_goes_is_refused():
    with pytest.raises(
        CapabilityError, match="beta 2000 per count of energy, the device goes to 1023"
    ):
        legs_of(np.array([2000.0]), BOARD)


def test_long_legs_are_cut_where_a_device_cannot_count_so_far():
    short = Schedules(
        beta_unit=1 / 64, most_gain=255, most_shift=4, legs=4, most_sweeps=50, reverse=True
    )
    legs = legs_of(np.full(120, 0.5), short)
    assert legs.table[:, 2].tolist() == [50, 50, 20]


@given(st.lists(st.floats(0, 10), min_size=1, max_size=30))
def test_whatever_is_accepted_is_near_and_of_the_right_length(betas):
    wanted = np.array(betas)
    legs = legs_of(wanted, BOARD)
    run = betas_of(legs)
    assert len(run) == len(betas)
    step = BOARD.beta_unit / 2.0**legs.shift
    assert (np.abs(run - wanted) <= np.maximum(0.01 * wanted, 1.5 * step) + 1e-12).all()
