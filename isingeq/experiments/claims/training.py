"""What budget and noise share: a network trained and tested on one machine, and accuracies compared in pairs."""

from collections.abc import Mapping

from isingeq.errors import DivergenceError
from isingeq.experiments.claims.claim import Case, Part, Record
from isingeq.experiments.claims.digit_networks import accuracy, trainer
from isingeq.experiments.claims.intervals import mean
from isingeq.registry import open_backend
from isingeq.tasks import load

CHANCE = 10.0
"""Percent right by chance: what a training that diverged is counted with."""


def trained_and_tested(
    spec: str, hidden: tuple[int, ...], *, free_steps: int, nudged_steps: int, epochs: int, seed: int,
    train_size: int | None = None,
) -> Record:  # fmt: skip
    """Return the test accuracy in percent, all steps run and every settle on the same machine."""
    data, backend = load("digits", train_size=train_size), open_backend(spec)
    try:
        run = trainer(
            hidden, backend, data, free_steps=free_steps, nudged_steps=nudged_steps, epochs=epochs, seed=seed
        )  # fmt: skip
        run.run()
        return {"accuracy": 100 * accuracy(run, data), "diverged": False}
    except DivergenceError:
        return {"accuracy": CHANCE, "diverged": True}
    finally:
        backend.close()


def accuracies(found: Mapping[Case, Record], **values: object) -> list[float]:
    """Return the accuracies of the cases that have these values, in the order of their seeds."""
    chosen = [
        (case["seed"], record["accuracy"])
        for case, record in found.items()
        if all(case[name] == value for name, value in values.items())
    ]
    return [accuracy for _, accuracy in sorted(chosen)]


def gained(words: str, ours: list[float], theirs: list[float], goal: float) -> Part:
    """Return the part of a claim that we are so many points better, seed by seed."""
    points = [a - b for a, b in zip(ours, theirs, strict=True)]
    return Part(f"{words}, points of test accuracy", mean(points), goal)
