"""Check each peer's gradient against `reference_ep` and print what its steps cost."""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from agreement_problem import random_problem
from peer_process import PeerProcess
from reference_ep import DYNAMICS, cosine, gradient

SETTINGS = {"n_free": 30, "n_nudged": 10, "nudging": 0.2}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, required=True, help="the peers' interpreter")
    parser.add_argument("--batches", type=int, nargs="+", default=[48, 512])
    parser.add_argument("--repeat", type=int, default=15)
    for name in DYNAMICS:
        parser.add_argument(f"--{name}", type=Path, required=True, metavar="PATH")
    options = parser.parse_args()
    checkouts = {name: getattr(options, name) for name in DYNAMICS}
    with PeerProcess(options.python, checkouts) as peers, tempfile.TemporaryDirectory() as folder:
        print(peers.ask("info"))
        print(
            "peer batch | ms per example: gradient min median, with optimiser min median |", end=""
        )
        print(" 1 - cosine to the reference: fp32 fp64")
        for batch in options.batches:
            problem = random_problem(batch, seed=batch)
            npz, saved = Path(folder, "problem.npz"), Path(folder, "gradient.npz")
            np.savez(npz, **problem)
            for peer, dynamics in DYNAMICS.items():
                peers.ask("load", peer=peer, npz=str(npz), **SETTINGS)
                times = [
                    peers.ask("gradient", peer=peer, repeat=options.repeat, save=str(saved)),
                    peers.ask("train_step", peer=peer, repeat=options.repeat),
                ]
                ms = [1e3 * t[k] / batch for t in times for k in ("cpu_s_min", "cpu_s_median")]
                with np.load(saved) as theirs:
                    gaps = [
                        1 - cosine(dict(theirs), gradient(problem, dynamics, dtype=t, **SETTINGS))
                        for t in (np.float32, np.float64)
                    ]
                print(
                    f"{peer:10s}{batch:5d} |" + "".join(f" {m:.4f}" for m in ms) + " |",
                    *(f"{gap:.1e}" for gap in gaps),
                )


if __name__ == "__main__":
    main()
