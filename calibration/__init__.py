"""Layers that map ideal couplings to what hardware can hold; each wraps a backend and is a backend."""
