import pytest

from isingeq.experiments.config import Experiment
from isingeq.experiments.reading import validate


@pytest.fixture
def blobs() -> Experiment:
    """Three clouds in the plane on sixteen hidden amplitudes: an epoch takes milliseconds."""
    return validate(
        {
            "name": "blobs",
            "seed": 3,
            "data": {"name": "blobs", "validation_size": 12},
            "network": {"hidden": [16]},
            "machine": {"backend": "conjugate"},
            "learning": {
                "epochs": 4,
                "batch_size": 10,
                "rate": 0.05,
                "free_steps": 30,
                "nudged_steps": 15,
                "renew_every": 7,
            },
        }
    )


@pytest.fixture
def blobs_on_spins() -> Experiment:
    """The same clouds on spins, annealed."""
    return validate(
        {
            "name": "blobs-binary",
            "data": {"name": "blobs", "validation_size": 12},
            "network": {"hidden": [6], "unit": "spin", "output": "spin", "replicas": 2},
            "machine": {"backend": "neal", "sweeps": 20},
            "learning": {"epochs": 2, "batch_size": 20, "nudging": 2.0, "reads": 2},
        }
    )
