import math
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import binom

from isingeq.errors import ConfigError
from isingeq.schedule import Annealing, Drive
from isingeq.solving import tune
from isingeq.solving.schedules import parse_schedule, schedule_words
from isingeq.solving.tuning import candidates, expected_lowest

DRIVE = Drive(100, 0.5, (0.0, 1.0), (0.5, 0.5))


def test_the_lowest_expected_is_the_mean_over_all_choices():
    energies = np.array([3.0, -1.0, 4.0, 1.5, -1.0])
    for reads in range(1, 6):
        every = [min(chosen) for chosen in combinations(energies, reads)]
        assert expected_lowest(energies, reads) == pytest.approx(np.mean(every), rel=1e-12)
    assert expected_lowest(energies, 9) == -1


def test_candidates_hold_the_schedule_itself_first_and_each_once():
    for schedule in (Annealing.geometric(0.1, 2.0, 64), Annealing((0.0, 1.0, 3.0)), DRIVE):
        tried = candidates(schedule)
        assert tried[0] == schedule
        assert len(tried) > 10
        assert tried == candidates(schedule)
    assert {c.dt for c in candidates(DRIVE)} == {0.5, 0.5 * 0.7, 0.5 * 1.4}
    assert {c.sweeps for c in candidates(DRIVE)} == {12, 25, 50, 100, 200, 400}


def test_more_sweeps_go_the_same_way():
    for first, last in ((0.1, 2.0), (0.0, 3.0)):
        betas = np.linspace(first, last, 9)
        longer = next(c for c in candidates(Annealing(tuple(betas))) if len(c.betas) == 18)
        assert (longer.betas[0], longer.betas[-1]) == pytest.approx((first, last))
        assert (np.diff(longer.betas) > 0).all()


def test_without_sweeps_there_is_nothing_to_tune():
    with pytest.raises(ConfigError, match="nothing to tune"):
        candidates(None)


def best_sweeps(up, first):
    """Of reads that take 1 s a sweep and need `up` of six spins up, each so with a chance of 1 − 2^(−sweeps/4)."""
    times = {}
    for sweeps in {max(1, round(first * share)) for share in (0.125, 0.25, 0.5, 1, 2, 4)}:
        chance = binom.sf(up - 1, 6, 1 - 0.5 ** (sweeps / 4))
        times[sweeps] = sweeps * max(1.0, math.log(0.01) / math.log1p(-min(chance, 1 - 1e-9)))
    return min(times, key=times.get)


@pytest.mark.parametrize(("up", "first", "sweeps"), [(6, 4, 16), (3, 64, 8)])
def test_it_finds_the_sweeps_that_solve_soonest(guesser, fields, up, first, sweeps):
    guesser.schedule = Annealing.geometric(0.1, 2.0, first)
    tuned = tune(fields, guesser, budget_s=100000, target_energy=6 - 2 * up)
    assert len(tuned.schedule.betas) == best_sweeps(up, first) == sweeps
    assert tuned.schedule == tuned.trials[0].schedule
    assert tuned.wall_s <= 100000


def test_without_a_target_energies_are_compared_in_equal_time(guesser, fields):
    tuned = tune(fields, guesser, budget_s=60000)
    assert len(tuned.schedule.betas) == 16


@pytest.mark.parametrize("budget_s", [1e-6, 30.0, 500.0])
def test_a_budget_is_kept_but_for_one_read(guesser, fields, budget_s):
    tuned = tune(fields, guesser, budget_s=budget_s, target_energy=-6)
    assert tuned.wall_s <= budget_s + 2 * 16
    assert any(trial.energies.size for trial in tuned.trials)


def test_a_schedule_that_the_machine_refuses_is_passed_over(guesser, fields):
    guesser.schedule, settle = DRIVE, guesser.settle

    def bounded(request):
        if request.schedule.dt > 0.5:
            raise ConfigError("dt is beyond the stability bound")
        return settle(request)

    guesser.settle = bounded
    tuned = tune(fields, guesser, budget_s=1e6, target_energy=-6)
    assert {trial.schedule.dt for trial in tuned.trials} == {0.5, 0.35}


def test_a_budget_of_nothing_is_refused(guesser, fields):
    with pytest.raises(ConfigError, match="above 0"):
        tune(fields, guesser, budget_s=0)


@pytest.mark.parametrize(
    "schedule", [Annealing.geometric(0.3, 7.1, 50), Annealing((0.0, 0.5, 0.1)), DRIVE]
)
def test_a_schedule_in_words_is_the_schedule(schedule):
    import json

    assert parse_schedule(json.dumps(schedule_words(schedule))) == schedule


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "3", '{"kind": "Annealing"}', '{"geometric": [1, 2]}', '{"kind": 1}']
)
def test_what_is_no_schedule_is_refused(text):
    with pytest.raises(ConfigError):
        parse_schedule(text)
