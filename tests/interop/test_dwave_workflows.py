"""IsingEqSampler inside the composites and hybrid workflows of D-Wave, which come with the test extra."""

import dimod
import hybrid
import numpy as np
import pytest
from dwave.preprocessing.composites import SpinReversalTransformComposite
from dwave.system import EmbeddingComposite, FixedEmbeddingComposite
from dwave.system.testing import MockDWaveSampler

from isingeq.errors import BackendError
from isingeq.interop import IsingEqSampler

READS = 20000
SPEC = "neal?sweeps=200"
# minorminer draws; so that a test says the same every time.
SAME_EMBEDDING = {"random_seed": 1}


def dense(n, vartype):
    """A model of real biases in which every pair of variables interacts.

    Labels are whole numbers, as embeddings follow the order of sets, and that of strings changes from run to run.
    """
    random = np.random.default_rng(1)
    row, column = np.triu_indices(n, 1)
    return dimod.BinaryQuadraticModel.from_numpy_vectors(
        random.normal(size=n),
        (row, column, random.normal(size=row.size)),
        0.5,
        vartype,
        variable_order=[10 * (n - k) for k in range(n)],
    )


def structured(sampler, size=3):
    """A sampler that takes models of the shape of a Chimera graph alone."""
    mock = MockDWaveSampler(topology_shape=[size, size, 4])
    return dimod.StructureComposite(sampler, mock.nodelist, mock.edgelist)


def substituted(sampler):
    """D-Wave's mock of a machine, with our sampler doing the work; it has no seed of its own."""
    return MockDWaveSampler(
        topology_shape=[3, 3, 4], substitute_sampler=sampler, substitute_kwargs={"seed": 3}
    )


def standard_errors(found, model, beta):
    """Pearson's chi-square of the states found, in standard errors above its mean."""
    n = model.num_variables
    states = np.array(list(np.ndindex(*(2,) * n)))
    values = states if model.vartype is dimod.BINARY else 2 * states - 1
    p = np.exp(-beta * model.energies((values, model.variables)))
    columns = [found.variables.index(v) for v in model.variables]
    place = (found.record.sample[:, columns] > 0) @ (1 << np.arange(n - 1, -1, -1))
    counts = np.bincount(place, found.record.num_occurrences, 2**n)
    expected = counts.sum() * p / p.sum()
    assert expected.min() > 20
    return (((counts - expected) ** 2 / expected).sum() - (2**n - 1)) / np.sqrt(2 * (2**n - 1))


@pytest.mark.parametrize("child", [structured, substituted])
@pytest.mark.parametrize("vartype", ["SPIN", "BINARY"])
def test_an_embedded_model_is_solved(child, vartype):
    model = dense(6, vartype)
    wanted = dimod.ExactSolver().sample(model).first
    with IsingEqSampler(SPEC) as sampler:
        composed = EmbeddingComposite(child(sampler), embedding_parameters=SAME_EMBEDDING)
        found = composed.sample(model, num_reads=50, return_embedding=True)
    embedding = found.info["embedding_context"]["embedding"]
    assert max(len(chain) for chain in embedding.values()) > 1
    assert found.record.num_occurrences.sum() == 50
    assert found.first.sample == wanted.sample
    np.testing.assert_allclose(found.record.energy, model.energies(found), atol=1e-9)
    assert found.info["provenance"]["backend"] == "neal"


def test_strong_chains_leave_the_distribution_as_it_is():
    """A triangle on a square: where a chain holds, energies differ by a constant from the model's."""
    model = dense(3, "BINARY")
    square = dimod.StructureComposite(
        IsingEqSampler("exact?beta=0.7"), range(4), [(0, 1), (1, 2), (2, 3), (0, 3)]
    )
    composed = FixedEmbeddingComposite(square, {30: [0], 20: [1], 10: [2, 3]})
    found = composed.sample(model, chain_strength=30.0, num_reads=READS, seed=4)
    assert (found.record.chain_break_fraction == 0).all()
    assert standard_errors(found, model, 0.7) < 5
    assert standard_errors(found, model, 0.8) > 5


def test_spin_reversal_leaves_the_distribution_as_it_is():
    """One transform to a call: with a seed given, all transforms of a call draw the same numbers."""
    model = dense(3, "SPIN")
    composed = SpinReversalTransformComposite(IsingEqSampler("exact?beta=0.7"), seed=2)
    parts = [composed.sample(model, num_reads=READS // 5, seed=seed) for seed in range(5)]
    found = dimod.concatenate(parts)
    assert standard_errors(found, model, 0.7) < 5
    assert standard_errors(found, model, 0.8) > 5


def test_spin_reversal_of_embedded_models():
    model = dense(6, "SPIN")
    with IsingEqSampler(SPEC) as sampler:
        reversing = SpinReversalTransformComposite(structured(sampler), seed=2)
        composed = EmbeddingComposite(reversing, embedding_parameters=SAME_EMBEDDING)
        found = composed.sample(model, num_reads=20, num_spin_reversal_transforms=3, seed=1)
        assert len(found) == 60
    assert found.first.sample == dimod.ExactSolver().sample(model).first.sample


def test_a_composite_closes_it():
    with SpinReversalTransformComposite(IsingEqSampler(SPEC)) as composed:
        composed.sample_ising({}, {("a", "b"): -1})
    with pytest.raises(BackendError, match="neal is closed"):
        composed.sample_ising({}, {("a", "b"): -1})


def embedded_subproblems(sampler):
    return hybrid.QPUSubproblemAutoEmbeddingSampler(
        num_reads=50,
        qpu_sampler=structured(sampler, size=4),
        sampling_params={"seed": 2},
        auto_embedding_params={"embedding_parameters": SAME_EMBEDDING},
    )


def free_subproblems(sampler):
    return hybrid.HybridSubproblemRunnable(
        dimod.TruncateComposite(sampler, 1), num_reads=50, seed=2
    )


@pytest.mark.parametrize("subproblems", [embedded_subproblems, free_subproblems])
def test_a_hybrid_loop_solves_its_subproblems(subproblems):
    model = dense(14, "BINARY")
    start = hybrid.State.from_sample(hybrid.utils.max_sample(model), model)
    with IsingEqSampler(SPEC) as sampler:
        iteration = (
            hybrid.EnergyImpactDecomposer(size=8, traversal="bfs")
            | subproblems(sampler)
            | hybrid.SplatComposer()
        )
        end = hybrid.Loop(iteration, max_iter=6).run(start).result()
    least = dimod.ExactSolver().sample(end.subproblem).first
    assert end.subproblem.num_variables == 6  # what is left after 8
    assert end.subsamples.first.sample == least.sample
    assert end.samples.first.energy < start.samples.first.energy - 1
    assert end.samples.first.energy == pytest.approx(
        model.energy(end.samples.first.sample), abs=1e-9
    )


def test_hybrid_branches_share_a_sampler():
    """They run in threads of their own, and the answer is waited for where it is first looked at."""
    model = dense(12, "SPIN")
    with IsingEqSampler(SPEC) as sampler:
        branches = [
            hybrid.HybridProblemRunnable(sampler, num_reads=10, seed=seed) for seed in range(6)
        ]
        workflow = hybrid.Parallel(*branches) | hybrid.ArgMin()
        found = hybrid.HybridSampler(workflow).sample(model).first
    assert found.energy == pytest.approx(dimod.ExactSolver().sample(model).first.energy, abs=1e-9)
