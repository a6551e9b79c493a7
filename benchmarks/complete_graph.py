"""A complete graph of ±1, from one bit per coupling to a file that `isingeq solve` reads.

python benchmarks/complete_graph.py WK2000_1_upper_bits.npy WK2000_1.npz

The bits are those of `numpy.packbits(w > 0)` over `numpy.triu_indices(n, 1)`, the most significant first.
"""

import argparse
import math
from pathlib import Path

import numpy as np


def unpacked(bits: np.ndarray) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """Return n, i, j, w of packed bits; n is the largest with n (n − 1) / 2 couplings that fill the last byte."""
    n = (1 + math.isqrt(1 + 64 * bits.size)) // 2
    m = n * (n - 1) // 2
    if -(-m // 8) != bits.size:
        raise SystemExit(f"{bits.size} bytes are no complete graph")
    i, j = np.triu_indices(n, 1)
    w = 2 * np.unpackbits(bits, count=m).astype(np.int8) - 1
    return n, i.astype(np.int32), j.astype(np.int32), w


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bits", type=Path)
    parser.add_argument("npz", type=Path)
    chosen = parser.parse_args()
    n, i, j, w = unpacked(np.load(chosen.bits))
    np.savez_compressed(chosen.npz, n=n, i=i, j=j, w=w)
    print(f"{chosen.npz}: {n} spins, {w.size} couplings, sum {w.sum(dtype=int)}")


if __name__ == "__main__":
    main()
