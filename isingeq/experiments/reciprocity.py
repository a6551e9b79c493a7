"""A word of caution before training: weights that are the same both ways do not make an energy."""

from isingeq.experiments.build import Built
from isingeq.learning.audit import asymmetry_of
from isingeq.learning.rate_network import RateNetwork

NEGLIGIBLE = 1e-6
"""Asymmetry of forces that do have an energy: what is left of rounding."""


def caution(built: Built) -> str | None:
    """Return a line where a network of tied weights is not conservative, for the estimators that take it to be."""
    trainer, network = built.trainer, built.trainer.network
    method = trainer.estimator.method
    tied = built.experiment.network.backward == "tied"
    if not (isinstance(network, RateNetwork) and tied and method in ("plain", "vector_field")):
        return None
    odd = asymmetry_of(
        network, trainer.backend, trainer.parameters, built.data.x_train[:16], seed=trainer.seed, pool=built.pool
    )  # fmt: skip
    if odd <= NEGLIGIBLE:
        return None
    return (
        f"weights are the same both ways and yet there is no energy (asymmetry {odd:.2f}): {method} is biased here, "
        "asymmetric and dyadic are not"
    )
