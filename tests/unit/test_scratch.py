"""A worker's scratch folder: its own while it lives, and gone soon after it was killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from signoff.bootstrap import scratch

HOLD = """
import runpy, sys
from pathlib import Path
take_scratch = runpy.run_path(sys.argv[1])["take_scratch"]
folder = take_scratch(Path(sys.argv[2]), "worker-here-")
(folder / "kubeconfig").write_text("token")
print(folder, flush=True)
sys.stdin.read()
"""


def test_what_a_killed_worker_left_is_removed_by_the_next_and_nothing_of_one_that_lives(tmp_path: Path) -> None:
    others = []
    for _ in range(2):
        argv = [sys.executable, "-c", HOLD, scratch.__file__, str(tmp_path)]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        others.append((process, Path(process.stdout.readline().strip())))
    (killed, its_folder), (alive, folder_of_alive) = others
    killed.kill()
    killed.wait()
    elsewhere = tmp_path / "worker-elsewhere-7"
    elsewhere.mkdir()
    mine = scratch.take_scratch(tmp_path, "worker-here-")
    assert not its_folder.exists()
    assert (folder_of_alive / "kubeconfig").is_file()
    assert sorted(tmp_path.iterdir()) == sorted([mine, folder_of_alive, elsewhere])
    assert mine.stat().st_mode & 0o777 == 0o700
    for process in (killed, alive):
        with process:
            process.kill()
