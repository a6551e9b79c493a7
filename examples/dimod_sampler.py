"""Share parcels between two lorries so that both carry the same, by way of a dimod sampler on a backend.

Each parcel is a spin, +1 on the first lorry and −1 on the second. The energy is the difference of the loads, squared.
"""

import dimod
import numpy as np

from isingeq.interop import IsingEqSampler

grams = {f"parcel {k}": int(g) for k, g in enumerate(np.random.default_rng(4).integers(1, 500, 24))}
model = dimod.BinaryQuadraticModel("SPIN")
model.add_linear_equality_constraint(list(grams.items()), lagrange_multiplier=1.0, constant=0.0)

with IsingEqSampler("neal?sweeps=500") as sampler:
    found = sampler.sample(model, num_reads=200, seed=0)

best = found.first
first = [parcel for parcel, side in best.sample.items() if side == 1]
load = sum(grams[parcel] for parcel in first)
print(f"{sampler} shared out {sum(grams.values())} g in {len(grams)} parcels")
print(f"first lorry {load} g in {len(first)} parcels, second {sum(grams.values()) - load} g")
print(f"mean difference of a read {np.sqrt(found.record.energy).mean():.1f} g")
print(f"difference {abs(2 * load - sum(grams.values()))} g")
