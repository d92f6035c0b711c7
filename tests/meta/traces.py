#!/usr/bin/env python3
"""Tests leave nothing behind: no process, no socket, no file; and so no segment, for a memfd ends with its last process.

    traces.py begin FOLDER          makes the folder that the tests' TMPDIR and XDG_RUNTIME_DIR name
    traces.py end FOLDER PROGRAMS   fails when a process runs a program of the folder PROGRAMS, or was started by
                                    such a process (FOLDER stands in its environment or arguments), when a file
                                    is left in FOLDER; removes the folder when nothing is

What is still on its way out is given `PATIENCE` seconds.
"""

import os
import shutil
import sys
import time
from pathlib import Path

PATIENCE = 10


def ancestors(pid):
    """The process and all above it: ctest, and whoever runs it."""
    found = set()
    while pid > 0 and pid not in found:
        found.add(pid)
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            break
    return found


def why_ours(process, folder, programs):
    """Why this entry of /proc is counted as a test's, or None."""
    try:
        program = os.readlink(process / "exe")
        if program.startswith(f"{programs}/"):
            return f"runs {program}"
        for part in ("environ", "cmdline"):
            if os.fsencode(folder) in (process / part).read_bytes():
                return f"runs {program}, {folder} is in its {part}"
        for link in (process / "fd").iterdir():
            if folder in os.readlink(link):
                return f"runs {program}, has {os.readlink(link)} open"
    except OSError:  # gone, a zombie of somebody's, a kernel thread or another user's
        pass
    return None


def processes(folder, programs):
    spared = ancestors(os.getpid())
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) not in spared:
            if why := why_ours(process, folder, programs):
                found.append(f"process {process.name} {why}")
    return found


def files(folder):
    return [f"file {path}" for path in sorted(Path(folder).rglob("*")) if path != Path(folder) / "run"]


def begin(folder):
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder)
    os.chmod(folder, 0o755)  # tests as another user get through
    os.mkdir(f"{folder}/run", 0o700)


def end(folder, programs, patience=PATIENCE):
    limit = time.monotonic() + patience
    while found := processes(folder, programs) + files(folder):
        if time.monotonic() > limit:
            return found
        time.sleep(0.05)
    shutil.rmtree(folder)
    return []


def main():
    match sys.argv[1:]:
        case ["begin", folder]:
            begin(folder)
        case ["end", folder, programs]:
            found = end(folder, programs)
            for line in found:
                print(line)
            if found:
                sys.exit(f"{len(found)} left behind")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
