"""The convolutional networks of rain-neuromorphics/energy-based-learning, driven as its `Trainer` does."""

from pathlib import Path

import torch
from checkout import import_from
from convolutional import ConvolutionalProblem, Layer

# The peer's recipe for convolutional nets (papers/ebl-algorithms/sota-dchn.py): SGD with momentum.
LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 0.03, 0.9, 2.5e-4


class RainConvolutional:
    """`ConvHopfieldEnergy28` or `…32`, `FixedPointMinimizer` (asynchronous) and `EquilibriumProp`."""

    def __init__(self, checkout: Path, problem: ConvolutionalProblem) -> None:
        nets = import_from(checkout, "model.hopfield.network")
        minimizer = import_from(checkout, "model.hopfield.minimizer")
        sgd = import_from(checkout, "training.sgd")
        self._monitor = import_from(
            checkout, "training.monitor", unused=("torch.utils.tensorboard",)
        )
        self._problem = problem
        # It has one class per size of image, each with its own kernel and padding.
        names = [f"num_hiddens_{i}" for i in range(1, len(problem.channels) + 1)]
        self._energy = {28: nets.ConvHopfieldEnergy28, 32: nets.ConvHopfieldEnergy32}[
            problem.x.shape[-1]
        ](
            num_inputs=problem.x.shape[1],
            num_outputs=len(problem.dense[1]),
            **dict(zip(names, problem.channels, strict=True)),
        )
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
            variant=problem.variant,
            nudging=problem.nudging,
        )
        self._grads: list[torch.Tensor] = []
        self.restore()

    def restore(self) -> None:
        params = self._energy.params()  # biases first, then weights
        layers = [*self._problem.convolutions, self._problem.dense]
        values = [bias for _, bias in layers] + [weight for weight, _ in layers]
        for param, value in zip(params, values, strict=True):
            param.state.copy_(value)
        rates = [LEARNING_RATE] * len(params)
        self._optimizer = self._monitor.Optimizer(
            self._energy, self._cost, rates, MOMENTUM, WEIGHT_DECAY
        )

    def settle(self, steps: int) -> None:
        self._inference.num_iterations = steps
        # The peer's trainer starts a batch from the state the last one left; a given start costs
        # the same steps and makes every call the same.
        self._network.set_input(self._problem.x, reset=True)
        for layer, state in zip(self._network.free_layers(), self._problem.start, strict=True):
            layer.state = state
        self._inference.compute_equilibrium()

    def states(self) -> list[torch.Tensor]:
        return [layer.state for layer in self._network.free_layers()]

    def gradient(self) -> None:
        self.settle(self._problem.n_free)
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

    def gradients(self) -> list[Layer]:
        return self._pairs(self._grads)

    def weights(self) -> list[Layer]:
        return self._pairs([param.state for param in self._energy.params()])

    @staticmethod
    def _pairs(tensors: list[torch.Tensor]) -> list[Layer]:
        half = len(tensors) // 2
        return list(zip(tensors[half:], tensors[:half], strict=True))
