import json
import os
import signal
from dataclasses import replace

import pytest

from isingeq.experiments.claims import catalogue
from isingeq.experiments.claims.barriers import Barriers


@pytest.fixture
def small(monkeypatch):
    """All claims are barriers, of the smallest size."""
    tiny = classmethod(
        lambda cls: cls(instances=2, starts=4, glass_size=12, planted_side=4, steps=(8,))
    )
    monkeypatch.setattr(Barriers, "quick", tiny)
    monkeypatch.setattr("isingeq.experiments.claims.pictures.draw", lambda path, pictures: [])
    monkeypatch.setattr(catalogue, "CLAIMS", {"barriers": Barriers})


def test_claims_are_listed(isingeq):
    ended = isingeq("reproduce")
    assert ended.code == 0
    for name, claim in catalogue.CLAIMS.items():
        assert name in ended.out
        assert claim.summary in ended.out
    record = json.loads(isingeq("reproduce", "--json").out)
    assert [one["name"] for one in record["claims"]] == list(catalogue.CLAIMS)


def test_a_claim_comes_with_criterion_table_and_verdict(isingeq, small, tmp_path):
    ended = isingeq("reproduce", "barriers", "--quick", "--out", "here")
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert lines[0].startswith("barriers, claimed: ")
    assert lines[1].startswith("criterion: momentum misses at most half")
    assert lines[2] == "writing here: 6 of 6 cases to do"
    assert lines[3].startswith("landscape wells, instance 0: ")
    assert lines[3].endswith(" left")
    assert "spin glass: mean ± standard error of 2 instances" in ended.out
    assert lines[-1].startswith("barriers: ")
    assert lines[-1].endswith("in here: report.md")
    assert "in small" in lines[-1]
    assert (tmp_path / "here" / "report.md").is_file()


def test_programs_get_the_verdict(isingeq, small):
    ended = isingeq("reproduce", "all", "--quick", "--out", "here", "--json", "--quiet")
    (record,) = json.loads(ended.out)["claims"]
    assert ended.out.count("\n") == 1
    assert record["verdict"] in ("confirmed", "partly", "not confirmed")
    assert record["out"] == "here/barriers"
    assert record["sizes"]["instances"] == 2
    assert all(one["holds"] in (True, False) for one in record["parts"])


def test_a_stopped_claim_says_how_to_go_on_and_does(isingeq, small, monkeypatch, tmp_path):
    measure = Barriers.measure

    def stopping(self, case):
        if case["instance"] == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return measure(self, case)

    monkeypatch.setattr(Barriers, "measure", stopping)
    ended = isingeq("reproduce", "barriers", "--quick", "--out", "here")
    assert ended.code == 130
    last = ended.out.splitlines()[-1]
    assert last == "stopped; go on with: isingeq reproduce barriers --quick --out here"
    assert not (tmp_path / "here" / "report.md").exists()
    monkeypatch.setattr(Barriers, "measure", measure)
    again = isingeq(*last.partition("isingeq ")[2].split())
    assert again.code == 0
    assert "writing here: 3 of 6 cases to do" in again.out


def test_errors_are_one_line(isingeq, small):
    ended = isingeq("reproduce", "speed")
    assert ended.code == 2
    assert ended.err == "error: no claim is called 'speed'; there are barriers, and all\n"
    isingeq("reproduce", "barriers", "--quick", "--out", "here")
    other = isingeq("reproduce", "barriers", "--out", "here")
    assert other.code == 2
    assert "other sizes" in other.err
    assert other.err.count("\n") == 1


def test_small_sizes_are_of_the_same_claim(small):
    assert replace(Barriers.quick(), instances=40) != Barriers()
