"""Run a claim: every case once; what is there already is not run again.

::

    claim.toml        the claim and its sizes
    outcomes.jsonl    one line per finished case, as it comes
    report.md         words, tables, verdict
    verdict.json      the same for programs
    *.csv, *.png      tables and pictures
"""

import csv
import io
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from isingeq import __version__
from isingeq.errors import ConfigError
from isingeq.experiments.claims.claim import PAPER, Case, Claim, Conclusion, Record, Table
from isingeq.experiments.run_folder import (
    append_line,
    create_empty,
    fresh_path,
    kept_lines,
    to_json,
    write_text,
)
from isingeq.experiments.toml import dumps

_OUTCOMES = "outcomes.jsonl"


@dataclass(frozen=True)
class Reproduced:
    """A claim that was run.

    Attributes:
        claim: with its sizes.
        path: folder.
        conclusion: None where it was stopped before all cases were done.
        seconds: of all cases.
    """

    claim: Claim
    path: Path
    conclusion: Conclusion | None
    seconds: float

    def as_dict(self) -> Record:
        """Return plain data for JSON."""
        out: Record = {
            "name": self.claim.name,
            "sizes": asdict(cast(Any, self.claim)),
            "isingeq": __version__,
            "out": str(self.path),
            "seconds": self.seconds,
            "interrupted": self.conclusion is None,
        }
        if self.conclusion is not None:
            out["verdict"] = self.conclusion.verdict
            out["parts"] = [{**asdict(part), "holds": part.holds} for part in self.conclusion.parts]
            out["remarks"] = list(self.conclusion.remarks)
        return out


@dataclass(slots=True)
class ClaimWatcher:
    """What a claim tells while it is run; each is optional.

    Attributes:
        started: called with the folder, the number of cases done before and of all.
        case: called with what is begun.
        done: called with a case, its seconds, the number of cases done and the seconds that the rest may take.
    """

    started: Callable[[Path, int, int], None] = lambda path, done, total: None
    case: Callable[[Case], None] = lambda case: None
    done: Callable[[Case, float, int, float], None] = lambda case, seconds, done, left_s: None


def reproduce(
    claim: Claim, *, out: Path | None = None, watcher: ClaimWatcher | None = None
) -> Reproduced:
    """Measure what is not measured yet, and judge.

    Args:
        claim: with its sizes.
        out: folder, new or of this very claim; None makes one under `runs`.
        watcher: is told what happens.

    Raises:
        ConfigError: the folder holds something else.
        CheckpointError: an outcome cannot be read or written.
    """
    watcher = watcher or ClaimWatcher()
    path = _opened(out or fresh_path(f"claim-{claim.name}"), claim)
    cases, known = claim.cases(), _kept(path)
    found = {case: known[case] for case in cases if case in known}
    watcher.started(path, len(found), len(cases))
    before = len(found)
    for case in (case for case in cases if case not in known):
        started = time.perf_counter()
        try:
            watcher.case(case)
            record = claim.measure(case)
        except KeyboardInterrupt:
            return Reproduced(claim, path, None, _seconds(found))
        seconds = time.perf_counter() - started
        line = {"case": dict(case.values), "seconds": seconds, "found": record}
        append_line(path / _OUTCOMES, line)
        found[case] = json.loads(to_json(line))
        spent = _seconds({k: found[k] for k in list(found)[before:]})
        watcher.done(
            case, seconds, len(found), (len(cases) - len(found)) * spent / (len(found) - before)
        )
    conclusion = claim.conclude({case: found[case]["found"] for case in cases})
    reproduced = Reproduced(claim, path, conclusion, _seconds(found))
    _write(reproduced, conclusion)
    return reproduced


def _seconds(found: dict[Case, Record]) -> float:
    return float(sum(record["seconds"] for record in found.values()))


def _opened(path: Path, claim: Claim) -> Path:
    """Make the folder, or take that of this very claim."""
    file = path / "claim.toml"
    text = dumps({"name": claim.name, "sizes": json.loads(to_json(asdict(cast(Any, claim))))})
    if file.is_file():
        if file.read_text(encoding="utf-8") != text:
            raise ConfigError(
                f"folder {path} holds another claim or other sizes ({file} differs): give another --out"
            )
        return path
    create_empty(path)
    write_text(file, text)
    return path


def _kept(path: Path) -> dict[Case, Record]:
    """Return the outcomes that are there; raises CheckpointError for a line that is none."""

    def read(record: Record) -> tuple[Case, Record]:
        outcome = {"seconds": float(record["seconds"]), "found": record["found"]}
        return Case.of(**record["case"]), outcome

    return kept_lines(path / _OUTCOMES, read)


def _write(reproduced: Reproduced, conclusion: Conclusion) -> None:
    from isingeq.experiments.claims.pictures import draw  # slow to import

    path, claim = reproduced.path, reproduced.claim
    names = draw(path, conclusion.pictures)
    for table in conclusion.tables:
        text = io.StringIO()
        csv.writer(text).writerows([table.columns, *table.rows])
        write_text(path / f"{table.name}.csv", text.getvalue())
    words = [
        f"# {claim.name}: {conclusion.verdict}",
        f"Claimed ({PAPER}, in our words): {claim.paper}",
        f"Here: {claim.setting}",
        f"Criterion, set beforehand: {claim.criterion}",
        "\n".join(f"- {part.text}" for part in conclusion.parts),
        *(f"{remark}" for remark in conclusion.remarks),
        *(_markdown(table) for table in conclusion.tables),
        *(f"![{name}]({name})" for name in names),
    ]
    write_text(path / "report.md", "\n\n".join(words) + "\n")
    write_text(path / "verdict.json", to_json(reproduced.as_dict(), indent=2) + "\n")


def _markdown(table: Table) -> str:
    lines = [table.columns, ("---",) * len(table.columns), *table.rows]
    body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"**{table.title}**\n\n{body}"
