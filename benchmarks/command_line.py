"""How long `signoff --help` and `signoff validate` take, against a bare `python -c pass`.

    python benchmarks/command_line.py [--rounds 10]

The commands take turns; each is a fresh process.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stage import about, report

STEP = """\
  - name: test_{number}
    type: test
    inputs:
      checks: [accuracy > 0.9]
"""
END = """\
  - name: approve
    type: approval
    inputs:
      approvers: ['bob']
"""


def pipeline(folder: Path, steps: int) -> str:
    """A file of so many steps."""
    path = folder / f"signoff-{steps}.yaml"
    path.write_text("steps:\n" + "".join(STEP.format(number=n) for n in range(steps - 1)) + END)
    return str(path)


def seconds(argv: list[str], home: str) -> float:
    """How long one process takes from its start to its end."""
    began = time.perf_counter()
    environment = os.environ | {"SIGNOFF_HOME": home}
    done = subprocess.run(argv, capture_output=True, env=environment, check=False)
    took = time.perf_counter() - began
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    known = about("cyclopts", "pyyaml")
    print(known)
    signoff = [sys.executable, "-m", "signoff.cli"]
    with tempfile.TemporaryDirectory(prefix="signoff-bench-") as folder:
        commands = {
            "bare": [sys.executable, "-c", "pass"],
            "help": [*signoff, "--help"],
            "help_of_submit": [*signoff, "submit", "--help"],
            "validate_10_steps": [*signoff, "validate", pipeline(Path(folder), 10)],
            "validate_1000_steps": [*signoff, "validate", pipeline(Path(folder), 1000)],
        }
        took: dict[str, list[float]] = {name: [] for name in commands}
        for number in range(arguments.rounds + 1):
            for name, argv in commands.items():
                value = seconds(argv, folder)
                if number:  # the first round warms the disk's cache
                    took[name].append(value)
    figures: dict[str, object] = {}
    for name, values in took.items():
        figures[f"{name}_seconds"] = round(statistics.median(values), 3)
        figures[f"{name}_best_seconds"] = round(min(values), 3)
        if name != "bare":
            beyond = [mine - bare for mine, bare in zip(values, took["bare"], strict=True)]
            figures[f"{name}_seconds_beyond_bare"] = round(statistics.median(beyond), 3)
    report("command_line", known, figures)


if __name__ == "__main__":
    main()
