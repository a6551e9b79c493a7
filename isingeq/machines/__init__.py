"""The physics: one dynamics per file, its parameters in a frozen dataclass, its equation in the docstring."""
