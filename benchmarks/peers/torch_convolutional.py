"""How fast torch could be: the same net without autograd, channels last, choices of the pools kept, inputs once.

Not a peer: it answers whether an accelerator in torch would be worth its dependency on this machine.
"""

import torch
from convolutional import ConvolutionalProblem, Layer
from torch.nn import functional

LAST = torch.channels_last


class TorchConvolutional:
    """Hard sigmoid on hidden layers, linear output, alternate layers after one another (Rain's order)."""

    def __init__(self, problem: ConvolutionalProblem) -> None:
        self._problem = problem
        self.restore()

    def restore(self) -> None:
        problem = self._problem
        self._weights = [w.to(memory_format=LAST) for w, _ in problem.convolutions]
        self._biases = [b.view(1, -1, 1, 1) for _, b in problem.convolutions]
        # Rows, columns, channels: images in channels last are flat in this order without a copy.
        self._dense = problem.dense[0].permute(1, 2, 0, 3).reshape(-1, len(problem.dense[1]))
        self._start = [
            s.contiguous(memory_format=LAST) if s.ndim == 4 else s for s in problem.start
        ]
        self._states: list[torch.Tensor] = []
        self._gradients: list[Layer] = []

    @torch.no_grad()
    def settle(self, steps: int) -> None:
        self._drive = self._pulled(self._problem.x.to(memory_format=LAST), 0)
        self._states = self._run(list(self._start), steps, 0.0)

    def states(self) -> list[torch.Tensor]:
        return self._states

    @torch.no_grad()
    def gradient(self) -> None:
        problem = self._problem
        self.settle(problem.n_free)
        free = self._states
        phases = [(problem.nudging, free)]
        if problem.variant == "centered":
            phases = [(problem.nudging, free), (-problem.nudging, free)]
            found = [self._run(list(start), problem.n_nudged, beta) for beta, start in phases]
            scale = 0.5 / problem.nudging
        else:
            found = [self._run(list(free), problem.n_nudged, problem.nudging), free]
            scale = 1.0 / problem.nudging
        up, down = (self._moments(states) for states in found)
        self._gradients = [
            ((d[0] - u[0]) * scale, (d[1] - u[1]) * scale) for u, d in zip(up, down, strict=True)
        ]

    def train_step(self) -> None:
        self.gradient()
        for (weight, bias), (dw, db) in zip(self.weights(), self._gradients, strict=True):
            weight.sub_(dw, alpha=1e-9)
            bias.sub_(db, alpha=1e-9)

    def gradients(self) -> list[Layer]:
        return self._gradients

    def weights(self) -> list[Layer]:
        biases = [bias.view(-1) for bias in self._biases]
        return [*zip(self._weights, biases, strict=True), self._problem.dense]

    def _run(self, states: list[torch.Tensor], steps: int, beta: float) -> list[torch.Tensor]:
        target = functional.one_hot(self._problem.labels, self._dense.shape[1]).float()
        count = len(self._weights)
        # What the convolution of a layer pulls, and where; it holds until that layer moves.
        pulls: dict[int, tuple[torch.Tensor, torch.Tensor, torch.Size]] = {}
        for _ in range(steps):
            for colour in (0, 1):
                moved = {}
                for k in range(colour, count, 2):
                    for source in {max(0, k - 1), min(k, count - 2)} - pulls.keys():
                        pulls[source] = self._pulled(states[source], source + 1)
                    force = (pulls[k - 1][0] if k else self._drive[0]) + self._biases[k]
                    if k + 1 < count:
                        force += self._pushed(states[k + 1], k + 1, pulls[k])
                    else:
                        b, c, rows, columns = states[k].shape
                        back = (states[count] @ self._dense.T).view(b, rows, columns, c)
                        force += back.permute(0, 3, 1, 2)
                    moved[k] = force.clamp_(0, 1)
                if count % 2 == colour:
                    out = torch.addmm(self._problem.dense[1], self._flat(states[-2]), self._dense)
                    moved[count] = out - beta * (states[count] - target)
                for k, state in moved.items():
                    states[k] = state
                    pulls.pop(k, None)
        return states

    def _pulled(
        self, source: torch.Tensor, k: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Size]:
        swept = functional.conv2d(source, self._weights[k], padding=self._problem.padding)
        pooled, choice = functional.max_pool2d(swept, 2, return_indices=True)
        return pooled, choice, swept.shape

    def _pushed(
        self, state: torch.Tensor, k: int, pull: tuple[torch.Tensor, torch.Tensor, torch.Size]
    ) -> torch.Tensor:
        spread = functional.max_unpool2d(state, pull[1], 2)
        return functional.conv_transpose2d(spread, self._weights[k], padding=self._problem.padding)

    def _moments(self, states: list[torch.Tensor]) -> list[Layer]:
        x, batch = self._problem.x.to(memory_format=LAST), len(states[0])
        found: list[Layer] = []
        for k, weight in enumerate(self._weights):
            source = states[k - 1] if k else x
            choice = self._pulled(source, k)[1] if k else self._drive[1]
            spread = functional.max_unpool2d(states[k], choice, 2)
            dw = torch.nn.grad.conv2d_weight(
                source, weight.shape, spread, padding=self._problem.padding
            )
            found.append((dw / batch, states[k].sum((0, 2, 3)) / batch))
        last = (self._flat(states[-2]).T @ states[-1]) / batch
        c, rows, columns, classes = self._problem.dense[0].shape
        dw = last.view(rows, columns, c, classes).permute(2, 0, 1, 3)
        return [*found, (dw, states[-1].sum(0) / batch)]

    @staticmethod
    def _flat(images: torch.Tensor) -> torch.Tensor:
        return images.permute(0, 2, 3, 1).reshape(len(images), -1)
