"""What a board behind a serial line gives: bytes, how busy the line is, samples per second, host time, four boards.

python benchmarks/devices.py [--emulator]

Equilibrium propagation on 64 spins, all pairs, one read, centred, 10 outputs nudged; every coupling is new in every
batch. `model` is on a virtual clock: seconds are those of line and device as declared. `emulator` is lm3s in QEMU,
seconds of the wall, least of several runs.
"""

import argparse
import json
import re
import shutil
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from drivers.profile import SHIPPED
from isingeq.backend import SettleRequest
from isingeq.couplings import Edges
from isingeq.problem import Problem
from isingeq.registry import open_backend
from isingeq.terms import LinearNudge
from isingeq.units import Layer, Spin

SPINS, OUTPUTS, BAUD = 64, 10, 115_200
PAIRS = np.triu_indices(SPINS, 1)


class Batches:
    """Batches of equilibrium propagation on one backend, and what they took."""

    def __init__(self, backend, batch, *, new_couplings=True, seed=0):
        self.backend, self.batch = backend, batch
        self.new_couplings = new_couplings
        self.rng = np.random.default_rng(seed)
        self.edges = self.couplings()
        self.number = 0
        self.schedule = None

    def couplings(self):
        J = self.rng.integers(-127, 128, len(PAIRS[0])).astype(np.float32)
        return Edges(SPINS, *PAIRS, J)

    def step(self):
        """Free and nudged phases of one batch; return both answers."""
        b = self.batch
        if self.new_couplings:
            self.edges = self.couplings()
        h = self.rng.integers(-120, 121, (b, SPINS)).astype(np.float32)
        problem = Problem((Layer("s", SPINS, Spin()),), (self.edges,), h)
        self.number += 2
        self.schedule = self.schedule or self.backend.suggest_schedule(problem)  # as a trainer
        free = self.backend.settle(SettleRequest(problem, seed=self.number, schedule=self.schedule))
        force = np.zeros((2 * b, SPINS), np.float32)
        force[:b, -OUTPUTS:] = self.rng.choice([-5, 5], (b, OUTPUTS))
        force[b:] = -force[:b]
        both = SettleRequest(
            problem.with_fields(np.concatenate([h, h])),
            (LinearNudge(force),),
            seed=self.number + 1,
            schedule=self.schedule,
            initial=np.concatenate([free.states] * 2),
        )
        return free, self.backend.settle(both)

    @property
    def values(self):
        """Bytes of couplings, fields and spins that a batch needs: up and down."""
        up = len(PAIRS[0]) * self.new_couplings + self.batch * (SPINS + 2 * OUTPUTS)
        return up, 3 * self.batch * SPINS // 8


def counted(answer):
    """Bytes sent and received so far, over all boards."""
    details = answer.provenance.details
    links = [board["link"] for board in details.get("boards", [details])]
    return np.array([sum(link[way] for link in links) for way in ("sent", "received")])


def run(spec, batch, *, steps=4, **options):
    """Bytes, seconds of line and device, of the wall and of the processor, per batch; the first is left out."""
    with closing(open_backend(spec)) as backend:
        batches = Batches(backend, batch, **options)
        before = counted(batches.step()[1])
        walls, cpu, line, device = [], [], [], []
        for _ in range(steps):
            started, used = time.perf_counter(), time.process_time()
            answers = batches.step()
            walls.append(time.perf_counter() - started)
            cpu.append(time.process_time() - used)
            line.append(sum(answer.timing.link_s for answer in answers))
            device.append(sum(answer.timing.device_s for answer in answers))
        up, down = (counted(answers[1]) - before) / steps
    return {
        "values": batches.values, "up": up, "down": down, "wall_s": min(walls), "cpu_s": min(cpu),
        "line_s": min(line), "device_s": min(device),
    }  # fmt: skip


def modelled(batch, sweeps):
    """A paced model: the line alone, before a device whose sweeps take no time, and with one as declared."""
    options = f"?baud={BAUD}&sweeps={sweeps}"
    with tempfile.TemporaryDirectory() as folder:
        quick = Path(folder) / "quick.toml"
        text = (SHIPPED / "ref-arm192.toml").read_text(encoding="utf-8")
        quick.write_text(re.sub(r"sweep_s = \S+", "sweep_s = 1e-9", text), encoding="utf-8")
        found = run(f"model://{quick}{options}", batch)
    alone = found["line_s"] + found["device_s"]
    slow = run(f"model://ref-arm192{options}", batch)
    up, down = found["values"]
    return {
        "payload_up": up / found["up"],
        "payload_down": down / found["down"],
        "payload": (up + down) / (found["up"] + found["down"]),
        "line_busy_to_device": 10 * found["up"] / BAUD / alone,
        "line_busy_both_ways": 10 * (found["up"] + found["down"]) / BAUD / alone,
        "samples_per_s_of_line": batch / alone,
        "samples_per_s": batch / (slow["line_s"] + slow["device_s"]),
    }


def emulated(batch, sweeps):
    """QEMU paced and unpaced: seconds of the wall."""
    paced = run(f"emulator://lm3s?baud={BAUD}&sweeps={sweeps}", batch)
    free = run(f"emulator://lm3s?sweeps={sweeps}", batch, steps=20)
    return {
        "line_busy_to_device": 10 * paced["up"] / BAUD / paced["wall_s"],
        "line_busy_both_ways": 10 * (paced["up"] + paced["down"]) / BAUD / paced["wall_s"],
        "payload": sum(paced["values"]) / (paced["up"] + paced["down"]),
        "samples_per_s_paced": batch / paced["wall_s"],
        "samples_per_s_unpaced": batch / free["wall_s"],
    }


def overhead(spec, batch, repeat=60):
    """Milliseconds of this thread's processor per settle with the couplings at hand, median and least."""
    with closing(open_backend(spec)) as backend:
        batches, times = Batches(backend, batch, new_couplings=False), []
        h = batches.rng.integers(-120, 121, (repeat, batch, SPINS)).astype(np.float32)
        problem = Problem((Layer("s", SPINS, Spin()),), (batches.edges,), h[0].copy())
        schedule = backend.suggest_schedule(problem)
        for seed, fields in enumerate(h):
            request = SettleRequest(problem.with_fields(fields), seed=seed, schedule=schedule)
            started = time.thread_time()
            backend.settle(request)
            times.append(1e3 * (time.thread_time() - started))
    times = times[1:]  # the first one loads couplings
    return {"median_ms": float(np.median(times)), "least_ms": min(times)}


def four(batch, sweeps, *, new_couplings):
    """How much faster four boards are than one, seconds of line and device."""
    options = f"?baud={BAUD}&sweeps={sweeps}"
    one, many = (
        run(f"{spec}{options}", batch, new_couplings=new_couplings, steps=2)
        for spec in ("model://ref-arm192", "pool:model://ref-arm192*4")
    )
    return (one["line_s"] + one["device_s"]) / (many["line_s"] + many["device_s"])


def four_emulated(batch, sweeps, *, new_couplings):
    """The same by the wall, four processes of QEMU on paced lines."""
    options = f"?baud={BAUD}&sweeps={sweeps}"
    one, many = (
        run(f"{spec}{options}", batch, new_couplings=new_couplings, steps=3)
        for spec in ("emulator://lm3s", "pool:emulator://lm3s*4")
    )
    return one["wall_s"] / many["wall_s"]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sweeps", type=int, default=20)
    parser.add_argument("--emulator", action="store_true", help="lm3s too, in real time")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = {f"model, batch {b}": modelled(b, options.sweeps) for b in (32, 64)}
    found["four boards over one"] = {
        # 96 slots of 64 spins on a board: with more samples than that, one board alone loses its states as well.
        "batch 96, couplings kept": four(96, options.sweeps, new_couplings=False),
        "batch 96, all couplings new": four(96, options.sweeps, new_couplings=True),
        "batch 384, all couplings new": four(384, options.sweeps, new_couplings=True),
    }
    if options.emulator and shutil.which("qemu-system-arm"):
        found |= {f"lm3s, batch {b}": emulated(b, options.sweeps) for b in (32, 64)}
        found["four boards over one, lm3s"] = {
            "batch 96, couplings kept": four_emulated(96, options.sweeps, new_couplings=False),
            "batch 384, all couplings new": four_emulated(384, options.sweeps, new_couplings=True),
        }
        for batch in (1, 32):
            spec = f"emulator://lm3s?sweeps={options.sweeps}"
            found[f"host time of a settle of {batch} on lm3s"] = overhead(spec, batch)
    if options.json:
        print(json.dumps(found))
        return
    for title, figures in found.items():
        print(title)
        for key, value in figures.items():
            print(f"  {key:30s} {value:.4g}")


if __name__ == "__main__":
    main()
