import json
import signal
import subprocess
import sys


def test_a_terminated_run_goes_on_to_the_same_end(isingeq, tmp_path):
    settings = ["--set", "learning.batch_size=2", "--epochs", "16", "--json"]
    whole = json.loads(isingeq("train", "blobs.toml", *settings, "--out", "whole").out)
    command = [sys.executable, "-m", "isingeq", "train", "blobs.toml", *settings, "--out", "run"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        for line in process.stderr:
            if line.startswith("epoch   2/16"):
                break
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    stopped = json.loads(out.splitlines()[-1])
    assert stopped["interrupted"] is True
    assert 2 <= stopped["epochs"] < 16
    assert "go on with: isingeq train --resume run" in err
    assert "Traceback" not in err
    resumed = isingeq("train", "--resume", "run", "--json")
    assert json.loads(resumed.out)["params_sha256"] == whole["params_sha256"]
