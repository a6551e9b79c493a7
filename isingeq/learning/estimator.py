"""Equilibrium propagation: the gradient of a cost from the contrast of equilibria.

    dL/dθ = Σ_k c_k ∂E/∂θ(s_k)          s_k settled under E + nudging_k C, from the free state

| estimator     | nudging_k          | c_k                       | error     |
|---------------|--------------------|---------------------------|-----------|
| centred       | +β, −β             | 1/2β, −1/2β               | O(β²)     |
| positive      | +β, 0              | 1/β, −1/β                 | O(β)      |
| negative      | −β, 0              | −1/β, 1/β                 | O(β)      |
| holomorphic   | β e^(2πik/N)       | e^(−2πik/N) / N β, real part | O(β^N) |
| coupled       | output held at s − β ∂C, s + β ∂C | as centred | O(β²), biased |
| recurrent     | none: the linear response of the free state, solved for | exact |
| bptt          | none: that response by as many steps as a nudged phase has | baseline |
| backprop      | none: the feedforward network of the same shape | | baseline |

Where forces have no energy, those of `nonconservative` stand in: asymmetric, dyadic, vector_field, plain, adjoint.

Scellier & Bengio 2017; Laborieux et al. 2021 (centred); Laborieux & Zenke 2022 (holomorphic); Stern et al. 2021
(coupled learning, in its centred form). Every phase after the free one goes through one settle call.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from isingeq.backend import Backend, Claim, Equilibrium, Floats, Precision
from isingeq.couplings import Coupling
from isingeq.errors import ConfigError, DivergenceError
from isingeq.kernels.pool import Pool
from isingeq.learning.backprop import backprop
from isingeq.learning.cost import Labels
from isingeq.learning.model import Model
from isingeq.learning.network import Network
from isingeq.learning.nonconservative import METHODS, linear_signal
from isingeq.learning.parameters import Parameters
from isingeq.learning.phases import chosen, settle_free, settle_nudged, stayed, weighted
from isingeq.learning.rate_backprop import backprop_rates
from isingeq.learning.rate_network import RateNetwork
from isingeq.learning.reciprocation import add_homeostasis, share_gradients
from isingeq.learning.recurrent import recurrent
from isingeq.schedule import Schedule

Method = Literal[
    "centred", "positive", "negative", "holomorphic", "coupled", "recurrent", "bptt", "backprop",
    "asymmetric", "dyadic", "vector_field", "plain", "adjoint",
]  # fmt: skip
Reads = Literal["mean", "best"]


@dataclass(frozen=True, slots=True)
class Estimator:
    """How equilibria become a gradient.

    Attributes:
        method: kind of contrast.
        nudging: β, > 0.
        points: nudged phases of the holomorphic method.
        free_steps: most steps of the free phase.
        nudged_steps: most steps of a nudged phase, and of the linear response.
        tolerance: residual at which a phase stops, and share of the push at which a response is solved; 0 runs all
            steps.
        reads: states per sample.
        select: contrast the mean over reads, or the read of lowest energy.
        tangent: nudge by the cost's slope at the free state, held as a constant force, and not by the cost itself.
        skip_correct: leave out samples whose free output equals its target (spins).
        reject: reads in which any unit moved further than this between the free and a nudged state, having left its
            basin, are left out of the mean; None keeps all.
        precision: of the arithmetic.
        kolen_pollack: weights there and back share their gradients.
        homeostasis: strength of a penalty on what is not symmetric about forces.
    """

    method: Method = "centred"
    nudging: float = 0.1
    points: int = 2
    free_steps: int = 100
    nudged_steps: int = 50
    tolerance: float = 1e-3
    reads: int = 1
    select: Reads = "mean"
    tangent: bool = False
    skip_correct: bool = False
    reject: float | None = None
    precision: Precision = "float32"
    kolen_pollack: bool = False
    homeostasis: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.nudging) and self.nudging > 0):
            raise ConfigError(
                f"nudging {self.nudging} must be > 0; its direction is chosen by the method"
            )
        if self.method == "holomorphic" and self.points < 2:
            raise ConfigError(f"holomorphic nudging needs at least 2 points, got {self.points}")
        if self.method in METHODS and self.reads > 1:
            raise ConfigError(f"{self.method} takes one state per sample: set reads = 1")
        if self.method in ("recurrent", "bptt") and self.reads > 1 and self.select == "mean":
            raise ConfigError(
                f"{self.method} differentiates at one equilibrium, the mean over {self.reads} reads is none: "
                "set reads = 1, or select = best"
            )
        if self.reject is not None and (
            not self.reject > 0 or self.select != "mean" or not self.nudges
        ):
            raise ConfigError(
                f"reject {self.reject} must be > 0, and leaves reads out of a mean over nudged ones: "
                "set select = mean and an estimator that nudges, or reject = none"
            )

    @property
    def nudges(self) -> bool:
        """True where there are nudged phases that start from the free state."""
        return self.method not in ("recurrent", "bptt", "backprop", "dyadic", "adjoint")

    def phases(self) -> tuple[Floats, Floats]:
        """Return nudging and coefficient of every nudged phase, complex for the holomorphic method."""
        beta = self.nudging
        if self.method == "positive":
            return np.array([beta]), np.array([1 / beta])
        if self.method == "negative":
            return np.array([-beta]), np.array([-1 / beta])
        if self.method == "holomorphic" and self.points > 2:
            circle = np.exp(2j * np.pi * np.arange(self.points) / self.points)
            return beta * circle, 1 / (self.points * beta * circle)
        return np.array([beta, -beta]), np.array([0.5 / beta, -0.5 / beta])


@dataclass(frozen=True, slots=True)
class Step:
    """One gradient and what it took.

    Attributes:
        gradient: mean over the batch of dL/dθ.
        num_samples: in the batch.
        cost: mean cost of the free states; every read of phases counts by itself, as their mean may be a state that
            none of them is in.
        num_correct: samples whose free state has the right class, or the share of their reads that do.
        free: free equilibrium; None for backprop.
        nudged: nudged equilibria, phase after phase; None for methods without and when every sample was skipped.
        num_clipped: input fields cut by the encoder.
        num_rejected: reads left out of the contrast.
    """

    gradient: Parameters
    num_samples: int
    cost: float
    num_correct: float
    free: Equilibrium | None = None
    nudged: Equilibrium | None = None
    num_clipped: int = 0
    num_rejected: int = 0


def estimate(
    estimator: Estimator, network: Model, backend: Backend, parameters: Parameters, x: Floats, labels: Labels,
    *, seed: int, schedule: Schedule | None, pool: Pool, out: Parameters,
    couplings: tuple[Coupling, ...] | None = None, initial: Floats | None = None,
) -> Step:  # fmt: skip
    """Return the gradient of the mean cost of a batch, from at most two settle calls.

    Args:
        estimator: how.
        network: what.
        backend: where.
        parameters: at which.
        x: inputs (b, inputs).
        labels: classes (b,).
        seed: of both settle calls.
        schedule: of both settle calls.
        pool: threads for the products outside the backend.
        out: gradient, overwritten.
        couplings: of the network at these parameters, where they are at hand.
        initial: states (b, r, n) that the free phase starts from; None for the backend's own start.

    Raises:
        DivergenceError: the cost is no longer finite.
    """
    if estimator.method == "backprop":
        if isinstance(network, RateNetwork):
            done = backprop_rates(network, parameters, x, labels, pool=pool, out=out)
        else:
            assert isinstance(network, Network)
            done = backprop(network, parameters, x, labels, pool=pool, out=out)
        gradient, cost, hits = done
        return Step(gradient, len(x), cost, hits)
    couplings = couplings or network.couplings(parameters)
    encoded = network.encode(parameters, x, pool)
    free = settle_free(
        estimator,
        network,
        backend,
        couplings,
        encoded,
        seed=seed,
        schedule=schedule,
        initial=initial,
    )
    first, last = network.spans[-1]
    states = chosen(estimator, free)
    outputs = states[:, first:last]
    by_read = estimator.select == "mean" and free.request.problem.angular
    judged = free.states if by_read else states
    cost, correct = _judged(network, parameters, judged, labels)
    if not np.isfinite(cost):
        raise DivergenceError(
            "the cost is no longer finite: lower the learning rate or the initial gains"
        )
    part = np.arange(len(x))
    if estimator.skip_correct:
        part = np.flatnonzero(
            np.abs(network.cost.slope(parameters, outputs, labels)).max(axis=1) > 0
        )
    inputs = encoded.inputs
    if part.size < len(x):
        inputs = tuple(component.rows(part) for component in inputs)
    nudged, num_rejected = None, 0
    if not part.size:
        out.vector[:] = 0
    elif estimator.method in ("recurrent", "bptt"):
        assert isinstance(network, Network)
        recurrent(
            network, couplings, inputs, states[part],
            network.cost.slope(parameters, outputs, labels)[part], np.full(part.size, 1 / len(x), states.dtype), out,
            steps=estimator.nudged_steps, tolerance=estimator.tolerance if estimator.method == "recurrent" else None,
            pool=pool,
        )  # fmt: skip
    elif estimator.method in ("dyadic", "adjoint"):
        assert isinstance(network, RateNetwork)
        nudged, signal = linear_signal(
            network, backend, couplings, states[part], network.cost.slope(parameters, outputs, labels)[part],
            request=replace(free.request, seed=seed + 1, max_steps=estimator.nudged_steps),
            method=estimator.method, nudging=estimator.nudging,
        )  # fmt: skip
        share = np.full(part.size, 1 / len(x), states.dtype)
        network.answer(couplings, inputs, states[part], signal, share, out, pool)
    else:
        nudged, coefficients = settle_nudged(
            estimator,
            network,
            backend,
            parameters,
            free,
            labels,
            part,
            seed=seed,
            schedule=schedule,
        )
        states, signs = weighted(estimator, nudged, coefficients / len(x), len(part))
        if estimator.method in ("positive", "negative"):
            at_rest, rest_signs = weighted(estimator, free, -coefficients / len(x), len(x))
            states = np.concatenate([states, at_rest[:, part]])
            signs = np.concatenate([signs, rest_signs[:, part]])
        if estimator.reject is not None:
            kept = stayed(estimator.reject, free.states[part], nudged)
            num_rejected = kept.size - int(kept.sum())
            signs *= kept * (kept.size / max(1, kept.size - num_rejected))
        if estimator.method in ("asymmetric", "vector_field"):
            assert isinstance(network, RateNetwork)
            signal = np.einsum("kbrn,kbr->bn", states, signs)
            network.answer(
                couplings, inputs, chosen(estimator, free)[part], signal, np.ones_like(signal[:, 0]), out, pool
            )  # fmt: skip
        else:
            network.contrast(couplings, inputs, states, signs, out, pool)
    network.cost.explicit(parameters, outputs, labels, out)
    if isinstance(network, RateNetwork):
        if estimator.homeostasis:
            rest, strength = chosen(estimator, free), estimator.homeostasis
            add_homeostasis(network, couplings, rest, strength, out, seed=seed)
        if estimator.kolen_pollack:
            share_gradients(network, out)
    return Step(out, len(x), cost, correct, free, nudged, encoded.num_clipped, num_rejected)


def _judged(
    network: Model, parameters: Parameters, states: Floats, labels: Labels
) -> tuple[float, float]:
    """Return the mean cost of states (b, n) or (b, r, n), and how many samples are right."""
    each = states.reshape(-1, network.n)
    meant = np.repeat(labels, len(each) // len(labels))
    cost = network.cost.values(parameters, each[:, slice(*network.spans[-1])], meant).mean()
    right = (network.predict(parameters, each) == meant).sum()
    return float(cost), float(right * len(labels) / len(each))


def may_renew(backend: Backend) -> bool:
    """True when a schedule changes the way and not the answer, so that a trainer may renew it."""
    return backend.capabilities.claim is Claim.FIXED_POINT
