"""Oscillator networks under the limits of hardware: coarse phase readout, parameters of few bits, phase noise.

MNIST, 784-512-10 as shipped, each row trained from scratch under its own limit and tested under it. Parameters of q
bits are rounded, array by array, to 2^q − 1 levels between ± their largest value, wherever the machine sees them; the
optimizer keeps its own copy.

    ISINGEQ_DATA=DIR python benchmarks/oscillator_training.py [--epochs N] [--set learning.nudging=2]
"""

import argparse
import json
import time
from dataclasses import dataclass

import numpy as np

from isingeq.experiments.build import build
from isingeq.experiments.reading import read_experiment
from isingeq.learning.network import Network

ROWS = {
    "ideal": ("", None),
    "4-bit phase readout": ("&readout_bits=4", None),
    "10-bit parameters": ("", 10),
    "both": ("&readout_bits=4", 10),
    "both, phase noise 0.001": ("&readout_bits=4&noise=0.001", 10),
}


@dataclass(frozen=True)
class Rounded:
    """A network whose parameters reach the machine in few bits."""

    network: Network
    bits: int

    def __getattr__(self, name):
        return getattr(self.network, name)

    def _rounded(self, parameters):
        out = parameters.like(parameters.vector.copy())
        for name in out:
            step = np.abs(out[name]).max() / (2 ** (self.bits - 1) - 1)
            if step > 0:
                out[name][:] = np.rint(out[name] / step) * step
        return out

    def couplings(self, parameters):
        return self.network.couplings(self._rounded(parameters))

    def encode(self, parameters, x, pool):
        return self.network.encode(self._rounded(parameters), x, pool)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiment", default="mnist-oscillator")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    overrides = {"seed": options.seed, "learning.epochs": options.epochs}
    experiment = read_experiment(options.experiment, settings=options.set, overrides=overrides)
    rows = []
    for name, (limits, bits) in ROWS.items():
        started = time.process_time()
        built = build(experiment, backend=experiment.machine.spec + limits)
        trainer = built.trainer
        if bits is not None:
            trainer.network = Rounded(trainer.network, bits)
        trainer.run()
        accuracy = float((trainer.predict(built.data.x_test) == built.data.y_test).mean())
        rows.append(
            {"limits": name, "test_accuracy": accuracy, "cpu_s": time.process_time() - started}
        )
        built.close()
        if not options.json:
            print(f"{name:26s} {accuracy:.2%}  {rows[-1]['cpu_s']:.0f} s", flush=True)
    if options.json:
        print(
            json.dumps(
                {
                    "experiment": options.experiment,
                    "epochs": experiment.learning.epochs,
                    "rows": rows,
                }
            )
        )


if __name__ == "__main__":
    main()
