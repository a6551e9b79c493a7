"""Serve the peers' equilibrium propagation to a benchmark in another environment.

Run by the peers' Python with `--laborieux PATH` and/or `--rain PATH`; reads one JSON command a
line on standard input and answers one JSON object a line on standard output. README.md lists them.
"""

import argparse
from pathlib import Path
from typing import Any

from dense import PeerNet, read_problem, write_layers
from laborieux_net import LaborieuxNet
from rain_net import RainNet
from serving import info, measure, one_thread, serve

NETS = {"laborieux": LaborieuxNet, "rain": RainNet}


class Server:
    """Holds one loaded net per peer; each public method answers one command."""

    def __init__(self, checkouts: dict[str, Path]) -> None:
        self._checkouts = checkouts
        self._nets: dict[str, PeerNet] = {}

    def load(
        self, *, peer: str, npz: str, nudging: float, n_free: int = 30, n_nudged: int = 10
    ) -> dict[str, Any]:
        if peer not in self._checkouts:
            raise ValueError(f"no checkout for peer {peer!r}: start me with --{peer} PATH")
        problem = read_problem(Path(npz), n_free=n_free, n_nudged=n_nudged, nudging=nudging)
        self._nets[peer] = NETS[peer](self._checkouts[peer], problem)
        return {"sizes": problem.sizes, "batch": len(problem.x)}

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
    serve({c: getattr(server, c) for c in ("load", "gradient", "train_step")} | {"info": info})


if __name__ == "__main__":
    main()
