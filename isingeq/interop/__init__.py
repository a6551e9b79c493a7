"""Doors to other libraries: dimod models in and out, a sampler for dimod, and a classifier for scikit-learn.

Each library is imported when its door is first opened, not before.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isingeq.interop.bqm import from_bqm, to_bqm
    from isingeq.interop.classifier import EPClassifier
    from isingeq.interop.sampler import IsingEqSampler

__all__ = ["EPClassifier", "IsingEqSampler", "from_bqm", "to_bqm"]

_DOORS = {
    "EPClassifier": "classifier",
    "IsingEqSampler": "sampler",
    "from_bqm": "bqm",
    "to_bqm": "bqm",
}


def __getattr__(name: str) -> object:
    if name not in _DOORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_DOORS[name]}"), name)
