"""What several boards have in common, and whether they may answer as one."""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

from drivers.descriptor import Imperfections
from drivers.errors import InUseError
from drivers.serial_backend import SerialBackend
from isingeq.backend import Capabilities, Claim, Kind
from isingeq.errors import ConfigError

_WEAKEST_FIRST: tuple[Kind, ...] = ("simulated", "emulated", "real")
_CLAIMS = (Claim.NONE, Claim.GROUND_STATE, Claim.BOLTZMANN)


def check_members(backends: Sequence[SerialBackend], *, mixed: bool) -> None:
    """Refuse boards that cannot stand for each other.

    Args:
        backends: of the boards.
        mixed: real boards may stand next to emulated and simulated ones.

    Raises:
        ConfigError: other topologies, or real boards among others.
        InUseError: a board that is there twice.
    """
    first = backends[0]
    uids: dict[int, str] = {}
    for backend in backends:
        ours, theirs = first.descriptor.topology, backend.descriptor.topology
        if ours != theirs:
            raise ConfigError(
                f"{backend.name} couples {theirs.kind} and {first.name} {ours.kind}, in another graph: "
                "make a pool of each kind"
            )
        uid = backend.board.session.welcome.uid
        if uid and uid in uids:
            raise InUseError(
                f"{backend.name} and {uids[uid]} are the same device {uid:#x}: name it once"
            )
        uids[uid] = backend.name
    kinds = {kind_of(backend) for backend in backends}
    if "real" in kinds and len(kinds) > 1 and not mixed:
        raise ConfigError(
            f"a pool of {' and '.join(sorted(kinds))} boards gives results of no one kind: leave some out, "
            "or add mixed=true and have them count as simulated or emulated"
        )


def kind_of(backend: SerialBackend) -> Kind:
    """Return whether a board is simulated, emulated or real."""
    return backend.board.session.transport.kind


def weakest_kind(backends: Sequence[SerialBackend]) -> Kind:
    """Return the kind that results of all of them together may be called: simulated if any board is."""
    return min(map(kind_of, backends), key=_WEAKEST_FIRST.index)


def common_capabilities(backends: Sequence[SerialBackend]) -> Capabilities:
    """Return what all boards have; batches split as they like only where boards are the same in every word."""
    alike = len({backend.descriptor for backend in backends}) == 1
    perfect = all(backend.descriptor.imperfections == Imperfections() for backend in backends)
    common = reduce(_both, (backend.capabilities for backend in backends))
    return replace(common, split_invariant=common.split_invariant and alike and perfect)


def _both(a: Capabilities, b: Capabilities) -> Capabilities:
    fewer = min(a, b, key=lambda c: c.max_units or 0)
    return replace(
        a,
        connectivity=fewer.connectivity,
        claim=min(a.claim, b.claim, key=_CLAIMS.index),
        terms=a.terms & b.terms,
        max_units=fewer.max_units,
        field_range=_overlap(a.field_range, b.field_range),
        coupling_range=_overlap(a.coupling_range, b.coupling_range),
        split_invariant=a.split_invariant and b.split_invariant,
    )


def _overlap(
    a: tuple[float, float] | None, b: tuple[float, float] | None
) -> tuple[float, float] | None:
    return (max(a[0], b[0]), min(a[1], b[1])) if a and b else a or b
