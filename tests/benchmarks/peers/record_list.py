"""gitsheets.record_list on one sheet: it reads and parses, and does nothing else. Prints milliseconds."""

from __future__ import annotations

import os
import sys
import time

import gitsheets


def main() -> None:
    """`record_list.py GIT_DIR COMMIT FOLDER NICENESS`: how long it took, how many records there were."""
    git_dir, commit, folder, niceness = sys.argv[1:]
    os.nice(int(niceness))
    begun = time.perf_counter()
    records = gitsheets.record_list(git_dir, commit, folder, ".toml")
    elapsed_ms = (time.perf_counter() - begun) * 1000
    sys.stdout.write(f"{elapsed_ms} {len(records)}\n")


main()
