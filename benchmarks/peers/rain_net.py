"""The network of rain-neuromorphics/energy-based-learning, driven as its `Trainer` does."""

from pathlib import Path

import torch
from checkout import import_from
from dense import DenseProblem

# The peer's recipe for one hidden layer (papers/fast-drn/dhn.py): plain SGD, one rate for all.
LEARNING_RATE = 0.05


class RainNet:
    """`DeepHopfieldEnergy`, `FixedPointMinimizer` (asynchronous) and centred `EquilibriumProp`."""

    def __init__(self, checkout: Path, problem: DenseProblem) -> None:
        network = import_from(checkout, "model.hopfield.network")
        minimizer = import_from(checkout, "model.hopfield.minimizer")
        sgd = import_from(checkout, "training.sgd")
        self._monitor = import_from(
            checkout, "training.monitor", unused=("torch.utils.tensorboard",)
        )
        self._problem = problem
        self._energy = network.DeepHopfieldEnergy([(n,) for n in problem.sizes], [1.0, 1.0])
        self._energy.set_device("cpu")
        self._cost = import_from(checkout, "model.function.cost").SquaredError(
            self._energy.layers()[-1]
        )
        self._network = import_from(checkout, "model.function.network").Network(self._energy)
        free_layers = self._network.free_layers()
        augmented = sgd.AugmentedFunction(self._energy, self._cost)
        nudged = minimizer.FixedPointMinimizer(augmented, free_layers, problem.n_nudged)
        self._inference = minimizer.FixedPointMinimizer(self._energy, free_layers, problem.n_free)
        self._estimator = sgd.EquilibriumProp(
            self._energy.params(),
            self._energy.layers(),
            augmented,
            self._cost,
            nudged,
            variant="centered",
            nudging=problem.nudging,
        )
        self._grads: list[torch.Tensor] = []
        self.restore()

    def restore(self) -> None:
        params = self._energy.params()  # biases first, then weights
        values = [b for _, b in self._problem.layers] + [w for w, _ in self._problem.layers]
        for param, value in zip(params, values, strict=True):
            param.state.copy_(value)
        rates = [LEARNING_RATE] * len(params)
        self._optimizer = self._monitor.Optimizer(self._energy, self._cost, rates)

    def gradient(self) -> None:
        # The peer's trainer starts a batch from the state the last one left; the zero state, its
        # evaluator's choice, costs the same steps and makes every call the same.
        self._network.set_input(self._problem.x, reset=True)
        self._inference.compute_equilibrium()
        self._cost.set_target(self._problem.labels)
        self._grads = self._estimator.compute_gradient()

    def train_step(self) -> None:
        self.gradient()
        params = self._energy.params()
        for param, grad in zip(params, self._grads, strict=True):
            param.state.grad = grad
        self._optimizer.step()
        for param in params:
            param.clamp_()

    def gradients(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        return self._pairs(self._grads)

    def weights(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        return self._pairs([param.state for param in self._energy.params()])

    @staticmethod
    def _pairs(tensors: list[torch.Tensor]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        half = len(tensors) // 2
        return list(zip(tensors[half:], tensors[:half], strict=True))
