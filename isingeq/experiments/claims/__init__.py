"""Claims of the paper on Ising dynamics in equilibrium propagation (arXiv 2606.09112), each as an experiment."""
