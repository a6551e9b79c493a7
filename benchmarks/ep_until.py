"""Updates and seconds until a network of images has learnt MNIST to an accuracy: our recipe and Laborieux's.

    python benchmarks/ep_until.py --until 0.989                         ours, as shipped
    python benchmarks/ep_until.py --until 0.989 --recipe laborieux --python PEERS_PYTHON --laborieux CHECKOUT

Laborieux's recipe (check/train_mnist_cnn.sh: 200 free steps and 10 at a nudging of 0.4, one-sided, Adam, batches of
100) would take days in the peer. Its dynamics are ours to rounding (`ep_convolution.py`), so the *updates* that it
needs are counted on our simulator, with its start, its steps and its update order, and the peer is timed for the
*seconds* of an update, on weights and images of this run, where the gradient of both is compared once more.

Seconds are process CPU seconds of updates alone; the test images are classified in between, off the clock.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from ep_convolution import SERVER, cosine
from peers.peer_process import PeerProcess

from isingeq.experiments.build import Built, build
from isingeq.experiments.reading import read_experiment
from isingeq.learning.gradient import estimate
from isingeq.learning.progress import Position
from isingeq.learning.trainer import Listener, predict

# Phases stop where another step would change the float32 states no more; the steps are its own otherwise.
LABORIEUX = {
    "network.stiffness": [1.0], "network.output": "box", "machine.backend": "hopfield?update=synchronous",
    "learning.estimator": "positive", "learning.nudging": 0.4, "learning.tolerance": 1e-6,
    "learning.free_steps": 200, "learning.nudged_steps": 10,
    "learning.optimizer": "adam", "learning.rate": 5e-5, "learning.rates": [1.0, 0.2, 0.16],
    "learning.anneal": "constant", "learning.decay": 0.0,
    "learning.batch_size": 100, "learning.shift": 0, "learning.epochs": 40,
    "data.validation_size": 0,
}  # fmt: skip


class Watch:
    """Classifies the test images every so many updates, and keeps that time out of the count."""

    def __init__(self, built: Built, until: float, every: int, most_s: float) -> None:
        self.built, self.until, self.every, self.most_s = built, until, every, most_s
        self.rows: list[dict[str, float]] = []
        self.cpu_s, self._started, self.done = 0.0, time.process_time(), False

    def batch(self, position: Position, batches: int) -> None:
        """Take the time after every update, and the accuracy after some."""
        self.cpu_s += time.process_time() - self._started
        if position.update % self.every == 0:
            row = {
                "updates": position.update,
                "examples": position.update * self.built.trainer.course.batch_size,
                "accuracy": self.accuracy(),
                "cpu_s": self.cpu_s,
                "free_steps": position.tally.free_steps / max(1, position.tally.samples),
            }
            self.rows.append(row)
            print("  ".join(f"{key} {value:.6g}" for key, value in row.items()), flush=True)
            if row["accuracy"] >= self.until or self.cpu_s > self.most_s:
                self.done = True
        self._started = time.process_time()

    def accuracy(self) -> float:
        """Return the share of test images that the parameters as they are now get right."""
        trainer, data = self.built.trainer, self.built.data
        found = predict(
            trainer.network, trainer.backend, trainer.parameters, data.x_test,
            estimator=trainer.estimator, schedule=trainer.position.schedule, seed=0, pool=trainer.pool,
        )  # fmt: skip
        return float((found == data.y_test).mean())


def start_as_torch(built: Built, seed: int) -> None:
    """Draw weights and biases uniform in ± 1 / √(inputs of a unit), as the peer's layers start."""
    parameters, network = built.trainer.parameters, built.trainer.network
    rng = np.random.default_rng([seed, 3])
    weights = (network.input_name, *network.link_names)
    for name, layer in zip(weights, network.layers, strict=True):
        limit = 1 / np.sqrt(np.prod(parameters[name].shape[:-1]))
        for each in (name, f"{layer.name}.bias"):
            parameters[each][:] = rng.uniform(-limit, limit, parameters[each].shape)


def time_peer(built: Built, options: argparse.Namespace) -> dict[str, float]:
    """Return seconds of the peer's updates at the weights that were reached, and how alike the gradients are."""
    trainer, network = built.trainer, built.trainer.network
    size = trainer.course.batch_size
    x, labels = trainer.data.x_train[:size], trainer.data.y_train[:size]
    arrays = {
        "x": x.reshape(size, *network.windows[0].source),
        "labels": labels,
        "padding": np.array(0),
    }
    weights = (network.input_name, *network.link_names)
    names = {f"w{i}": name for i, name in enumerate(weights, 1)}
    names |= {f"b{i}": f"{layer.name}.bias" for i, layer in enumerate(network.layers, 1)}
    arrays |= {key: trainer.parameters[name] for key, name in names.items()}
    arrays |= {"start": np.zeros((size, network.n), np.float32)}
    steps = {
        "n_free": LABORIEUX["learning.free_steps"],
        "n_nudged": LABORIEUX["learning.nudged_steps"],
    }
    with PeerProcess(options.python, {"laborieux": options.laborieux}, SERVER) as peers, \
            tempfile.TemporaryDirectory() as folder:  # fmt: skip
        npz, saved = Path(folder, "problem.npz"), Path(folder, "gradient.npz")
        np.savez(npz, **arrays)
        peers.ask(
            "load", peer="laborieux", npz=str(npz), variant="positive",
            nudging=LABORIEUX["learning.nudging"], **steps,
        )  # fmt: skip
        peers.ask("gradient", peer="laborieux", repeat=1, save=str(saved))
        out = trainer.parameters.like()
        estimate(
            trainer.estimator, network, trainer.backend, trainer.parameters, x, labels,
            seed=0, schedule=trainer.position.schedule, pool=trainer.pool, out=out,
        )  # fmt: skip
        with np.load(saved) as theirs:
            alike = cosine(dict(theirs), {f"d{key}": out[name] for key, name in names.items()})
        times = peers.ask("train_step", peer="laborieux", repeat=options.repeat)
    return {
        "cosine": alike, "s_per_update": times["cpu_s_min"], "median_s": times["cpu_s_median"],
    }  # fmt: skip


def main() -> None:
    """Train until the accuracy is reached, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--until", type=float, default=0.989)
    parser.add_argument("--recipe", choices=("ours", "laborieux"), default="ours")
    parser.add_argument("--experiment", default="mnist-conv-small")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=100, help="updates between evaluations")
    parser.add_argument(
        "--most-s", type=float, default=np.inf, help="CPU seconds after which to give up"
    )
    parser.add_argument(
        "--python", type=Path, help="interpreter of the peers' environment, to time the peer"
    )
    parser.add_argument("--laborieux", type=Path)
    parser.add_argument("--repeat", type=int, default=3, help="updates of the peer that are timed")
    options = parser.parse_args()
    overrides = dict(LABORIEUX) if options.recipe == "laborieux" else {}
    overrides |= {"seed": options.seed, "threads": 1}
    experiment = read_experiment(options.experiment, settings=options.set, overrides=overrides)
    built = build(experiment)
    if options.recipe == "laborieux":
        start_as_torch(built, options.seed)
    watch = Watch(built, options.until, options.every, options.most_s)
    built.trainer.run(Listener(on_batch=watch.batch, should_stop=lambda: watch.done))
    summary = {
        "recipe": options.recipe, "until": options.until,
        "reached": bool(watch.rows and watch.rows[-1]["accuracy"] >= options.until),
        **watch.rows[-1],
        "load": os.getloadavg()[0],
    }  # fmt: skip
    if options.recipe == "laborieux" and options.python:
        peer = time_peer(built, options)
        summary |= {f"peer_{key}": value for key, value in peer.items()}
        summary["peer_cpu_s"] = peer["s_per_update"] * watch.rows[-1]["updates"]
    print(json.dumps(summary))
    built.close()


if __name__ == "__main__":
    main()
