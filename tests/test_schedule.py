import json

import pytest

from isingeq.errors import ConfigError
from isingeq.schedule import Annealing, Drive, schedule_data, schedule_from

FIVE = Annealing((1.0, 2.0, 3.0, 4.0, 5.0))


@pytest.mark.parametrize(
    ("turn", "betas"),
    [
        (0.0, (5, 4, 3, 2, 1, 2, 3, 4, 5)),
        (0.25, (5, 4, 3, 2, 3, 4, 5)),
        (0.6, (5, 4, 5)),
        (1.0, (5,)),
    ],
)
def test_reverse_goes_back_to_the_turning_point_and_on_again(turn, betas):
    assert FIVE.reverse(turn).betas == betas


def test_published_nudged_phase_has_149_sweeps():
    reverse = Annealing.geometric(0.1, 10.0, 100).reverse(0.25)
    assert len(reverse.betas) == 149
    assert min(reverse.betas) == reverse.betas[74]


@pytest.mark.parametrize("turn", [-0.1, 1.1, float("nan")])
def test_reverse_turns_on_its_way(turn):
    with pytest.raises(ConfigError, match="between 0 and 1"):
        FIVE.reverse(turn)


def test_geometric_keeps_its_ends_and_its_factor():
    betas = Annealing.geometric(0.5, 8.0, 5).betas
    assert betas == pytest.approx((0.5, 1.0, 2.0, 4.0, 8.0))


@pytest.mark.parametrize("betas", [(), (-1.0,), (float("nan"),), (float("inf"),)])
def test_betas_are_finite_and_not_negative(betas):
    with pytest.raises(ConfigError, match="finite beta"):
        Annealing(betas)


@pytest.mark.parametrize("bad", [(0.0, 1.0, 5), (1.0, 0.0, 5), (1.0, 2.0, 0)])
def test_geometric_refuses_ends_that_have_no_factor(bad):
    with pytest.raises(ConfigError, match="geometric betas need"):
        Annealing.geometric(*bad)


def test_a_drive_comes_back_from_plain_data():
    drive = Drive(200, 0.5, (0.0, 1.0), (0.3, 0.4))
    assert schedule_from(json.loads(json.dumps(schedule_data(drive)))) == drive
    assert drive.summary == "200 sweeps, dt 0.5, pump 0 to 1, feedback 0.3 to 0.4"


@pytest.mark.parametrize(
    "values",
    [
        (0, 0.5, (0.0, 1.0), (1.0, 1.0)),
        (10, 0.0, (0.0, 1.0), (1.0, 1.0)),
        (10, float("nan"), (0.0, 1.0), (1.0, 1.0)),
        (10, 0.5, (0.0, float("inf")), (1.0, 1.0)),
        (10, 0.5, (0.0, 1.0), (float("nan"), 1.0)),
    ],
)
def test_a_drive_needs_steps_and_finite_numbers(values):
    with pytest.raises(ConfigError, match="a drive needs"):
        Drive(*values)
