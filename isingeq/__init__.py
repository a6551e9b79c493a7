"""Train Ising machines by equilibrium propagation: simulated, annealed or attached.

One sign convention holds for every `Problem`, dimod's:

    E(s) = Σ_i h_i s_i + Σ_(i<j) J_ij s_i s_j + Σ_i u(s_i)

A `Network` follows the neural convention (a positive weight wants its two units to agree), so
`J = −W` and `h = −b`; that minus sign lives in `isingeq.learning.network.problem` alone.
`nudging` is equilibrium propagation's β; `beta` is always inverse temperature.
Axis letters in every docstring: `b` samples in a batch, `r` reads per sample, `n` units, `m` edges.
"""

__version__ = "0.1.0"
