"""What a peer is given: weights of a convolutional net, a batch of images and the settings of its phases.

Files hold images as rows, columns, channels and weights as (k, k, c, o), this project's order; torch has
channels first and (o, c, k, k). The turning happens here, and is never timed.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch

Layer = tuple[torch.Tensor, torch.Tensor]
Variant = Literal["centered", "positive"]


@dataclass(frozen=True)
class ConvolutionalProblem:
    """Convolutions with 2 × 2 max pooling, one dense layer, and one batch, as torch tensors in fp32.

    Attributes:
        convolutions: (weight (o, c, k, k), bias (o,)) per layer.
        dense: weight (c, rows, columns, classes) and bias (classes,).
        padding: of every convolution.
        x: images, (b, c, rows, columns).
        labels: class of each sample, (b,).
        start: states of all layers that the free phase starts from, images (b, c, rows, columns).
        n_free: steps of the free phase.
        n_nudged: steps of a nudged phase.
        nudging: β.
        variant: phases at +β and −β, or one at +β set against the free one.
    """

    convolutions: list[Layer]
    dense: Layer
    padding: int
    x: torch.Tensor
    labels: torch.Tensor
    start: list[torch.Tensor]
    n_free: int
    n_nudged: int
    nudging: float
    variant: Variant

    @property
    def channels(self) -> list[int]:
        return [len(bias) for _, bias in self.convolutions]


class PeerNet(Protocol):
    """One peer's own network, loaded with a problem."""

    def restore(self) -> None:
        """Put the problem's weights back and start a new optimiser."""

    def settle(self, steps: int) -> None:
        """Run free steps from the start; timed."""

    def states(self) -> list[torch.Tensor]:
        """Return the states of all layers after `settle`, images as (b, c, rows, columns)."""

    def gradient(self) -> None:
        """Run all phases and the peer's own gradient; timed."""

    def train_step(self) -> None:
        """Do the same and one step of the peer's own optimiser; timed."""

    def gradients(self) -> list[Layer]:
        """Return the last gradient, mean over the batch of dC/dθ, in the shapes of the problem."""

    def weights(self) -> list[Layer]:
        """Return the weights as they are now, in the shapes of the problem."""


def read_problem(
    path: Path, *, n_free: int, n_nudged: int, nudging: float, variant: Variant
) -> ConvolutionalProblem:
    """Read w1, b1, … of the layers, x (b, rows, columns, c), labels, start (b, n) and padding from an .npz file."""
    with np.load(path) as data:
        arrays = {k: np.ascontiguousarray(a) for k, a in data.items()}
    wrong = [k for k, a in arrays.items() if k not in ("labels", "padding") and a.dtype != "f4"]
    if wrong:
        raise ValueError(f"{', '.join(wrong)} not float32: the peers run in fp32, convert first")
    tensors = {k: torch.from_numpy(a) for k, a in arrays.items()}
    count = sum(name.startswith("w") for name in tensors)
    convolutions = [
        (tensors[f"w{i}"].permute(3, 2, 0, 1).contiguous(), tensors[f"b{i}"])
        for i in range(1, count)
    ]
    channels, weight = len(convolutions[-1][1]), tensors[f"w{count}"]
    side = round((len(weight) / channels) ** 0.5)
    dense = weight.reshape(side, side, channels, -1).permute(2, 0, 1, 3).contiguous()
    padding = arrays["padding"].item()
    x = tensors["x"].permute(0, 3, 1, 2).contiguous()
    return ConvolutionalProblem(
        convolutions=convolutions,
        dense=(dense, tensors[f"b{count}"]),
        padding=padding,
        x=x,
        labels=tensors["labels"],
        start=_layers_of(tensors["start"], x, convolutions, padding),
        n_free=n_free,
        n_nudged=n_nudged,
        nudging=nudging,
        variant=variant,
    )


def write_layers(path: Path, layers: list[Layer], *, prefix: str = "") -> None:
    """Write (weight, bias) pairs as w1, b1, … with `prefix` before each name, in this project's order."""
    arrays = {}
    for i, (weight, bias) in enumerate(layers, 1):
        if i < len(layers):
            turned = weight.permute(2, 3, 1, 0)
        else:
            turned = weight.permute(1, 2, 0, 3).reshape(-1, weight.shape[-1])
        arrays[f"{prefix}w{i}"] = np.ascontiguousarray(turned)
        arrays[f"{prefix}b{i}"] = np.array(bias)
    _write(path, arrays)


def write_states(path: Path, states: list[torch.Tensor]) -> None:
    """Write the states of all layers as one array `states` (b, n), images as rows, columns, channels."""
    parts = [
        (s.permute(0, 2, 3, 1) if s.ndim == 4 else s).reshape(len(s), -1).numpy() for s in states
    ]
    _write(path, {"states": np.concatenate(parts, axis=1)})


def _layers_of(
    states: torch.Tensor, x: torch.Tensor, convolutions: list[Layer], padding: int
) -> list[torch.Tensor]:
    """Return states (b, n) layer by layer."""
    layers, side, first = [], x.shape[-1], 0
    for weight, bias in convolutions:
        side = (side + 2 * padding - weight.shape[-1] + 1) // 2
        last = first + side * side * len(bias)
        images = states[:, first:last].reshape(-1, side, side, len(bias))
        layers.append(images.permute(0, 3, 1, 2).contiguous())
        first = last
    return [*layers, states[:, first:].contiguous()]


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with path.open("wb") as file:
        np.savez(file, **arrays)
