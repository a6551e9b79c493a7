"""Couplings between units, one file per kind.

A kind gives, over the states of *all* units of a problem:
`field` Σ_j J_ij s_j, `change` (its derivative along a direction), `energy` Σ J_ij s_i s_j, `moments` (the energy's
derivative with respect to each coupling, the local quantity of equilibrium propagation) and `edges`, the same
couplings as a list. A directed kind has a field and no energy; `paths` holds how its forces are made.
"""

from isingeq.couplings.convolution import Convolution
from isingeq.couplings.cosine import Cosine
from isingeq.couplings.dense import Dense
from isingeq.couplings.directed import Directed, VectorField
from isingeq.couplings.edges import Edges
from isingeq.couplings.given import Differenced, Given, Law
from isingeq.couplings.injection import Injection
from isingeq.couplings.kind import Coupling
from isingeq.couplings.paths import Arrows, Matrix, Path, Sliding, Turned
from isingeq.couplings.window import Window

__all__ = [
    "Arrows", "Convolution", "Cosine", "Coupling", "Dense", "Differenced", "Directed", "Edges", "Given", "Injection",
    "Law", "Matrix", "Path", "Sliding", "Turned", "VectorField", "Window",
]  # fmt: skip
