"""The network of Laborieux-Axel/Equilibrium-Propagation, driven as its `train` function does."""

from pathlib import Path

import torch
from checkout import import_from
from dense import DenseProblem

# The peer's recipe for this net (check/train_mnist.sh): Adam, the same rate for both synapses.
LEARNING_RATE = 5e-4


class LaborieuxNet:
    """`P_MLP` with `hard_sigmoid` on every layer, mean squared error and its third phase."""

    def __init__(self, checkout: Path, problem: DenseProblem) -> None:
        self._peer = import_from(
            checkout, "model_utils", unused=("matplotlib", "matplotlib.pyplot", "torchvision")
        )
        if len(problem.x) < 2:
            raise ValueError("Laborieux squeezes a batch of 1 away: give at least 2 samples")
        self._problem = problem
        self._criterion = torch.nn.MSELoss(reduction="none")
        self._model = self._peer.P_MLP(problem.sizes, activation=self._peer.hard_sigmoid)
        self._model.train()
        self.restore()

    def restore(self) -> None:
        with torch.no_grad():
            for synapse, (weight, bias) in zip(
                self._model.synapses, self._problem.layers, strict=True
            ):
                synapse.weight.copy_(weight.T)
                synapse.bias.copy_(bias)
        self._optimizer = torch.optim.Adam(
            [{"params": s.parameters(), "lr": LEARNING_RATE} for s in self._model.synapses]
        )

    def gradient(self) -> None:
        model, problem, criterion = self._model, self._problem, self._criterion
        x, y, beta = problem.x, problem.labels, problem.nudging
        neurons = model.init_neurons(x.size(0), x.device)
        neurons = model(x, y, neurons, problem.n_free, beta=0.0, criterion=criterion)
        free = self._peer.copy(neurons)
        neurons = model(x, y, neurons, problem.n_nudged, beta=beta, criterion=criterion)
        up = self._peer.copy(neurons)
        neurons = self._peer.copy(free)
        neurons = model(x, y, neurons, problem.n_nudged, beta=-beta, criterion=criterion)
        down = self._peer.copy(neurons)
        model.compute_syn_grads(x, y, up, down, (beta, -beta), criterion)

    def train_step(self) -> None:
        self.gradient()
        self._optimizer.step()

    def gradients(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        return [(s.weight.grad.T, s.bias.grad) for s in self._model.synapses]

    def weights(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        return [(s.weight.detach().T, s.bias.detach()) for s in self._model.synapses]
