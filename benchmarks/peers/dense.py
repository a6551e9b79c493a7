"""What a peer is given: weights, a batch and the settings of its three phases."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

Layer = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class DenseProblem:
    """A net with one hidden layer and one batch, as torch tensors in fp32.

    Attributes:
        layers: (weight, bias) per layer, weights as (inputs, outputs).
        x: Inputs, (b, inputs).
        labels: Class of each sample, (b,): both peers make their one-hot targets themselves.
        n_free: Steps of the free phase.
        n_nudged: Steps of each nudged phase.
        nudging: β, used as +β and −β.
    """

    layers: list[Layer]
    x: torch.Tensor
    labels: torch.Tensor
    n_free: int
    n_nudged: int
    nudging: float

    @property
    def sizes(self) -> list[int]:
        return [self.layers[0][0].shape[0], *(bias.shape[0] for _, bias in self.layers)]


class PeerNet(Protocol):
    """One peer's own network, loaded with a problem."""

    def restore(self) -> None:
        """Put the problem's weights back and start a new optimiser."""

    def gradient(self) -> None:
        """Run the free and both nudged phases and the peer's own gradient; timed."""

    def train_step(self) -> None:
        """Do the same and one step of the peer's own optimiser; timed."""

    def gradients(self) -> list[Layer]:
        """Return the last gradient, mean over the batch of dC/dθ, in the order of the layers."""

    def weights(self) -> list[Layer]:
        """Return the weights as they are now, in the order of the layers."""


def read_problem(path: Path, *, n_free: int, n_nudged: int, nudging: float) -> DenseProblem:
    """Read w1, b1, w2, b2, x and one-hot y from an .npz file."""
    with np.load(path) as data:
        arrays = {k: np.ascontiguousarray(data[k]) for k in ("w1", "b1", "w2", "b2", "x", "y")}
    wrong = [k for k, a in arrays.items() if a.dtype != np.float32]
    if wrong:
        raise ValueError(f"{', '.join(wrong)} not float32: the peers run in fp32, convert first")
    y = arrays["y"]
    if not np.array_equal(y, np.eye(y.shape[1], dtype=np.float32)[y.argmax(1)]):
        raise ValueError("y is not one-hot: both peers take class labels only")
    tensors = {k: torch.from_numpy(a) for k, a in arrays.items()}
    return DenseProblem(
        layers=[(tensors["w1"], tensors["b1"]), (tensors["w2"], tensors["b2"])],
        x=tensors["x"],
        labels=tensors["y"].argmax(1),
        n_free=n_free,
        n_nudged=n_nudged,
        nudging=nudging,
    )


def write_layers(path: Path, layers: list[Layer], *, prefix: str = "") -> None:
    """Write (weight, bias) pairs as w1, b1, w2, b2 with `prefix` before each name."""
    names = [(f"{prefix}w{i}", f"{prefix}b{i}") for i in range(1, len(layers) + 1)]
    arrays = {
        name: np.array(tensor)
        for pair, layer in zip(names, layers, strict=True)
        for name, tensor in zip(pair, layer, strict=True)
    }
    with path.open("wb") as file:
        np.savez(file, **arrays)
