"""Serve the peers' convolutional equilibrium propagation to a benchmark in another environment.

Run by the peers' Python with `--laborieux PATH` and/or `--rain PATH`; README.md lists the commands.
"""

import argparse
from pathlib import Path
from typing import Any

from convolutional import PeerNet, Variant, read_problem, write_layers, write_states
from laborieux_convolutional import LaborieuxConvolutional
from rain_convolutional import RainConvolutional
from serving import info, measure, one_thread, serve
from torch_convolutional import TorchConvolutional

NETS = {"laborieux": LaborieuxConvolutional, "rain": RainConvolutional}


class Server:
    """Holds one loaded net per peer; each public method answers one command."""

    def __init__(self, checkouts: dict[str, Path]) -> None:
        self._checkouts = checkouts
        self._nets: dict[str, PeerNet] = {}

    def load(
        self, *, peer: str, npz: str, nudging: float, n_free: int, n_nudged: int,
        variant: Variant = "centered",
    ) -> dict[str, Any]:  # fmt: skip
        problem = read_problem(
            Path(npz), n_free=n_free, n_nudged=n_nudged, nudging=nudging, variant=variant
        )
        if peer == "torch":
            self._nets[peer] = TorchConvolutional(problem)
        elif peer in self._checkouts:
            self._nets[peer] = NETS[peer](self._checkouts[peer], problem)
        else:
            raise ValueError(f"no checkout for peer {peer!r}: start me with --{peer} PATH")
        return {"channels": problem.channels, "batch": len(problem.x)}

    def settle(
        self, *, peer: str, steps: int, repeat: int, save: str | None = None
    ) -> dict[str, Any]:
        net = self._net(peer)
        times = measure(lambda: net.settle(steps), repeat)
        if save:
            write_states(Path(save), net.states())
        return times

    def gradient(self, *, peer: str, repeat: int, save: str | None = None) -> dict[str, Any]:
        net = self._net(peer)
        net.restore()
        times = measure(net.gradient, repeat)
        if save:
            write_layers(Path(save), net.gradients(), prefix="d")
        return times

    def train_step(self, *, peer: str, repeat: int, save: str | None = None) -> dict[str, Any]:
        net = self._net(peer)
        net.restore()
        times = measure(net.train_step, repeat)
        if save:
            write_layers(Path(save), net.weights())
        return times

    def _net(self, peer: str) -> PeerNet:
        if peer not in self._nets:
            raise ValueError(f"peer {peer!r} is not loaded: send load first")
        return self._nets[peer]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in NETS:
        parser.add_argument(f"--{name}", type=Path, metavar="PATH", help="source checkout")
    arguments = vars(parser.parse_args())
    one_thread()
    server = Server({name: path for name, path in arguments.items() if path is not None})
    names = ("load", "settle", "gradient", "train_step")
    serve({name: getattr(server, name) for name in names} | {"info": info})


if __name__ == "__main__":
    main()
