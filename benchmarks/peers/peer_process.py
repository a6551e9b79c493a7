"""Talk to the peers' server process from another environment."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

SERVER = Path(__file__).with_name("ep_dense_peer.py")


class PeerProcess:
    """The server as a context manager; `ask("info")`, `ask("gradient", peer="rain", repeat=5)`.

    The process runs on one BLAS thread and without OPENBLAS_CORETYPE, which picks kernels for a
    processor other than the one at hand.
    """

    def __init__(self, python: Path, checkouts: dict[str, Path], server: Path = SERVER) -> None:
        options = [word for name, path in checkouts.items() for word in (f"--{name}", str(path))]
        environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
        environment |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [str(python), str(server), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )

    def __enter__(self) -> "PeerProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        """Send one command and return its answer.

        Raises:
            RuntimeError: The command failed or the process ended; the text says why.
        """
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"op": op, **arguments}) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer process ended with code {process.wait()} during {op!r}")
        answer = json.loads(line)
        if not answer.pop("ok"):
            raise RuntimeError(f"the peer could not {op}: {answer['error']}")
        return answer
