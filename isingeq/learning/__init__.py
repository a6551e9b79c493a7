"""Equilibrium propagation over any backend: network, cost, estimator, optimizer, trainer, checkpoint, audit."""
