"""The convolutional network of Laborieux-Axel/Equilibrium-Propagation, driven as its `train` does."""

from pathlib import Path

import torch
from checkout import import_from
from convolutional import ConvolutionalProblem, Layer

# The peer's recipe for this net on MNIST (check/train_mnist_cnn.sh): Adam, a rate per synapse. Nets with
# more layers repeat the last one: a step costs the same.
LEARNING_RATES = (5e-5, 1e-5, 8e-6)


class LaborieuxConvolutional:
    """`P_CNN` with `hard_sigmoid` on every layer, mean squared error, 2 × 2 max pooling."""

    def __init__(self, checkout: Path, problem: ConvolutionalProblem) -> None:
        self._peer = import_from(
            checkout, "model_utils", unused=("matplotlib", "matplotlib.pyplot", "torchvision")
        )
        self._problem = problem
        self._criterion = torch.nn.MSELoss(reduction="none")
        count = len(problem.channels)
        self._model = self._peer.P_CNN(
            problem.x.shape[-1],
            [problem.x.shape[1], *problem.channels],
            [weight.shape[-1] for weight, _ in problem.convolutions],
            [1] * count,
            [len(problem.dense[1])],
            self._peer.make_pools("m" * count),
            [problem.padding] * count,
            activation=self._peer.hard_sigmoid,
        )
        self._model.train()
        self._states: list[torch.Tensor] = []
        self.restore()

    def restore(self) -> None:
        weight, bias = self._problem.dense
        layers = [*self._problem.convolutions, (weight.reshape(-1, len(bias)).T, bias)]
        with torch.no_grad():
            for synapse, (weight, bias) in zip(self._model.synapses, layers, strict=True):
                synapse.weight.copy_(weight)
                synapse.bias.copy_(bias)
        rates = [LEARNING_RATES[min(i, 2)] for i in range(len(layers))]
        self._optimizer = torch.optim.Adam(
            [
                {"params": synapse.parameters(), "lr": rate}
                for synapse, rate in zip(self._model.synapses, rates, strict=True)
            ]
        )

    def settle(self, steps: int) -> None:
        self._states = self._run(self._start(), steps, 0.0)

    def states(self) -> list[torch.Tensor]:
        return [state.detach() for state in self._states]

    def gradient(self) -> None:
        problem, copy = self._problem, self._peer.copy
        beta, nudged = problem.nudging, problem.n_nudged
        free = self._run(self._start(), problem.n_free, 0.0)
        at_rest = copy(free)
        up = copy(self._run(free, nudged, beta))
        if problem.variant == "centered":
            down = copy(self._run(copy(at_rest), nudged, -beta))
            phases, betas = (up, down), (beta, -beta)
        else:
            phases, betas = (at_rest, up), (0.0, beta)
        self._model.compute_syn_grads(problem.x, problem.labels, *phases, betas, self._criterion)

    def train_step(self) -> None:
        self.gradient()
        self._optimizer.step()

    def gradients(self) -> list[Layer]:
        return self._shaped([(s.weight.grad, s.bias.grad) for s in self._model.synapses])

    def weights(self) -> list[Layer]:
        return self._shaped([(s.weight.detach(), s.bias.detach()) for s in self._model.synapses])

    def _start(self) -> list[torch.Tensor]:
        return self._peer.copy(self._problem.start)

    def _run(self, neurons: list[torch.Tensor], steps: int, beta: float) -> list[torch.Tensor]:
        x, y = self._problem.x, self._problem.labels
        return self._model(x, y, neurons, steps, beta=beta, criterion=self._criterion)

    def _shaped(self, layers: list[Layer]) -> list[Layer]:
        weight, bias = layers[-1]
        return [*layers[:-1], (weight.T.reshape(self._problem.dense[0].shape), bias)]
