"""A board through bad days: thousands of settles on a line that loses bytes, with resets, stalls and pulled plugs.

    python benchmarks/device_soak.py [--settles 10000] [--board model|native|lm3s] [--seed 1] [--bad 0.005]

Every settle is compared with what the integer core makes of the same job. Time of models is that of their own clock.
"""

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from isingeq.backend import SettleRequest
from isingeq.couplings import Edges
from isingeq.problem import Problem
from isingeq.registry import open_backend
from isingeq.units import Layer, Spin

URLS = {
    "model": "model://ref-arm192?baud=115200",
    "native": "model://ref-arm192?native&baud=115200",
    "lm3s": "emulator://lm3s?baud=1000000",
}
PLAN = """seed = {seed}
flip = {flip}
drop = {drop}
insert = {insert}
[[incidents]]
kind = "reset"
times = 0
rate = 0.0005
[[incidents]]
kind = "stall"
times = 0
rate = 0.0005
seconds = 0.3
[[incidents]]
kind = "unplug"
times = 0
rate = 0.0003
seconds = 0.2
"""


def problem(n, batch, seed):
    rng = np.random.default_rng(seed)
    i, j = np.triu_indices(n, 1)
    J = rng.integers(-30, 31, len(i)).astype(np.float32)
    fields = rng.integers(-50, 51, (batch, n)).astype(np.float32)
    return Problem((Layer("s", n, Spin()),), (Edges(n, i, j, J),), fields)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--settles", type=int, default=10_000)
    parser.add_argument("--board", choices=URLS, default="model")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--bad", type=float, default=0.005, help="bytes flipped, dropped or inserted"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "plan.toml"
        each = asked.bad / 3
        plan.write_text(PLAN.format(seed=asked.seed, flip=each, drop=each, insert=each))
        soak(asked, f"{URLS[asked.board]}&sweeps=5&uid=77&timeout=20&recovery=120&faults={plan}")


def soak(asked: argparse.Namespace, url: str) -> None:
    board = open_backend(url)
    quiet = open_backend("model://ref-arm192?sweeps=5")
    rng = np.random.default_rng(asked.seed)
    problems = [problem(8, 4, seed) for seed in range(20)]
    wrong, lost, longest, frames = 0, 0, 0.0, []
    started, link = time.perf_counter(), 0.0
    found = None
    for number in range(asked.settles):
        request = SettleRequest(problems[rng.integers(len(problems))], seed=number)
        found = board.settle(request)
        wanted = quiet.settle(request).states
        lost += found.states.shape != wanted.shape
        wrong += not np.array_equal(found.states, wanted)
        took = found.timing.link_s + found.timing.device_s
        link, longest = link + took, max(longest, took)
        frames.append(board.board.session.link.best_payload)
        if number % 500 == 499:
            print(
                f"{number + 1} settles, {wrong} wrong, {time.perf_counter() - started:.0f} s",
                flush=True,
            )
    assert found is not None
    counters = Counter(found.provenance.details["link"])
    print(f"board {asked.board}, {asked.settles} settles, {asked.bad:.2%} of bytes bad")
    print(f"undetected errors {wrong}, lost samples {lost}, longest settle {longest:.2f} s")
    print(
        f"payload of a frame: {np.median(frames):.0f} bytes (median), {min(frames)} to {max(frames)}"
    )
    print(f"{link:.0f} s on the board's clock, {time.perf_counter() - started:.0f} s here")
    print(", ".join(f"{name} {count}" for name, count in counters.items() if count))
    board.close()
    quiet.close()


if __name__ == "__main__":
    main()
