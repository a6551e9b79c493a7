"""What a trainer writes down: sums within an epoch, what an epoch came to, and where training stands."""

from dataclasses import dataclass, field

from isingeq.learning.gradient import Step
from isingeq.schedule import Schedule


@dataclass(slots=True)
class Tally:
    """Sums over the batches of one epoch."""

    samples: int = 0
    cost: float = 0.0
    correct: float = 0
    free_steps: float = 0.0
    nudged_steps: float = 0.0
    num_nudged: int = 0
    residual: float = 0.0
    num_unsettled: int = 0
    num_two_cycles: int = 0
    num_clipped: int = 0
    num_rejected: int = 0
    settles: int = 0
    updates: int = 0
    num_gradients_clipped: int = 0

    def add(self, step: Step, tolerance: float) -> None:
        """Add one batch; unsettled is a residual above the tolerance, or above 1e-3 where all steps are run."""
        limit = tolerance or 1e-3
        batch = step.num_samples
        self.samples += batch
        self.cost += step.cost * batch
        self.correct += step.num_correct
        self.num_clipped += step.num_clipped
        self.num_rejected += step.num_rejected
        for equilibrium in (step.free, step.nudged):
            if equilibrium is None:
                continue
            self.settles += equilibrium.states.shape[0] * equilibrium.states.shape[1]
            if equilibrium.residual is not None:
                self.num_unsettled += int((equilibrium.residual > limit).sum())
                self.residual = max(self.residual, float(equilibrium.residual.max()))
            if equilibrium.two_cycle is not None:
                self.num_two_cycles += int(equilibrium.two_cycle.sum())
        if step.free is not None and step.free.steps is not None:
            self.free_steps += float(step.free.steps.mean()) * batch
        if step.nudged is not None and step.nudged.steps is not None:
            self.nudged_steps += float(step.nudged.steps.sum()) / step.nudged.steps.shape[1]
            self.num_nudged += len(step.nudged.steps)


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch came to.

    Attributes:
        epoch: number, from 1.
        train_accuracy: of the free states met in training.
        validation_accuracy: NaN without a validation part.
        cost: mean.
        mean_free_steps: per sample.
        mean_nudged_steps: per sample that was nudged.
        max_residual: largest.
        unsettled_fraction: share of settles whose residual stayed above the tolerance (1e-3 where that is 0).
        num_two_cycles: settles found flipping between two states.
        num_clipped: input fields cut.
        num_rejected: reads left out of the gradient for having left their basin.
        settles: samples settled, all phases counted.
        clipped_gradients: share of the updates whose gradient was clipped.
        rate: learning rate at the end.
        weight_rms: root mean square of all parameters.
        wall_s: seconds.
        cpu_s: seconds of all threads.
        schedule: in force at the end.
    """

    epoch: int
    train_accuracy: float
    validation_accuracy: float
    cost: float
    mean_free_steps: float
    mean_nudged_steps: float
    max_residual: float
    unsettled_fraction: float
    num_two_cycles: int
    num_clipped: int
    num_rejected: int
    settles: int
    clipped_gradients: float
    rate: float
    weight_rms: float
    wall_s: float
    cpu_s: float
    schedule: str


@dataclass(slots=True)
class Position:
    """Where training stands: with the parameters, all that a resumed run needs."""

    epoch: int = 0
    batch: int = 0
    update: int = 0
    best_accuracy: float = -1.0
    best_epoch: int = 0
    cost: float | None = None
    tally: Tally = field(default_factory=Tally)
    schedule: Schedule | None = None
    renewed_at: int = -1
