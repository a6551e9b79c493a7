"""Embeddings: chains of a chip's units that stand for the units of a problem, and how they are found."""

from calibration.embedding.chains import Embedding, Pairs
from calibration.embedding.find import embed

__all__ = ["Embedding", "Pairs", "embed"]
