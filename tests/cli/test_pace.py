"""Time left of a whole run, by a clock that the test turns."""

import pytest

from isingeq.cli import progress


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    return now


def test_time_left_counts_updates_and_validations_of_all_epochs_to_come(clock):
    pace, left = progress._Pace(), []
    for _ in range(3):
        for _ in range(10):
            clock[0] += 2
            pace.update(10)
        clock[0] += 30  # validation
        pace.epoch()
        left.append(pace.left(4 * 10))
    assert left == ["0:03:20 left"] * 3  # 4 epochs of 20 s and 30 s
    clock[0] += 2
    pace.update(10)
    assert pace.left(39) == "0:03:15 left"


def test_time_left_follows_the_pace_of_the_last_epoch(clock):
    pace = progress._Pace()
    for seconds in (1, 3):
        for _ in range(5):
            clock[0] += seconds
            pace.update(5)
    assert pace.left(1200) == "1:00:00 left"


def test_a_resumed_run_counts_its_own_time_alone(clock):
    pace = progress._Pace()
    clock[0] += 6
    pace.update(1000)
    assert pace.left(100 * 1000) == "6 days, 22:40:00 left"
