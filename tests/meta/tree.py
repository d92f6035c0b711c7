"""What the checks of the tree share: walking its files, reading includes, reporting."""

import re
import sys
from pathlib import Path

CODE = (".cpp", ".hpp")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def code_files(root, *folders):
    """The C++ files below the named folders of `root`, in a stable order."""
    for folder in folders:
        yield from sorted(p for p in (root / folder).rglob("*") if p.suffix in CODE and p.is_file())


def includes(path):
    """(line number, '<' or '"', what is included) of each #include in the file."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if match := INCLUDE.match(line):
            yield number, match[1], match[2]


def run(check):
    """Runs check(root) for the root on the command line; prints what it found, and exits 1 when there is any."""
    if len(sys.argv) < 2:
        sys.exit(f"usage: {sys.argv[0]} ROOT")
    found = check(Path(sys.argv[1]), *sys.argv[2:])
    for line in found:
        print(line)
    if found:
        sys.exit(f"{len(found)} found")
