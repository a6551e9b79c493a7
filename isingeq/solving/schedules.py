"""Schedules in the words of a solve: short enough for one line, and exact."""

import json

from isingeq.errors import ConfigError
from isingeq.schedule import Annealing, Schedule, schedule_data, schedule_from


def is_geometric(schedule: Annealing) -> bool:
    """Return whether the betas are those of `Annealing.geometric`, to the last bit."""
    first, last = schedule.betas[0], schedule.betas[-1]
    return (
        first > 0 and last > 0 and schedule == Annealing.geometric(first, last, len(schedule.betas))
    )


def schedule_words(schedule: Schedule | None) -> dict[str, object] | None:
    """Return a schedule as plain data; geometric betas as first, last and number of sweeps."""
    if isinstance(schedule, Annealing) and is_geometric(schedule):
        betas = schedule.betas
        return {"kind": "Annealing", "geometric": [betas[0], betas[-1], len(betas)]}
    return schedule_data(schedule)


def parse_schedule(text: str) -> Schedule:
    """Return the schedule that JSON describes, as `schedule_words` has it.

    Raises:
        ConfigError: it describes none.
    """
    try:
        data = json.loads(text)
        if isinstance(data, dict) and "geometric" in data:
            first, last, sweeps = data["geometric"]
            return Annealing.geometric(first, last, sweeps)
        schedule = schedule_from(data)
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"this is no schedule as --json shows one: {error}") from None
    if schedule is None:
        raise ConfigError("this is no schedule as --json shows one: null")
    return schedule
