#!/usr/bin/env python3
"""Each test that tests/README.md names is in the sources, and each heading has its section.

    table.py ROOT

A name that ends in or holds "…" is looked for by its parts.
"""

import re

import tree

HEADINGS = ("Lock", "RLock", "Semaphore", "Condition", "Event", "Barrier", "Queue", "List", "Dict", "Namespace",
            "Value / Array", "Pipe", "Process", "Manager", "Nesting", "Pool", "Executor")
NAME = re.compile(r'"([^"]+)"')


def check(root):
    text = (root / "tests/README.md").read_text(encoding="utf-8")
    there = re.findall(r"^## (.+)$", text, re.M)
    found = [f"tests/README.md: no section {heading}" for heading in HEADINGS if heading not in there]
    sources = "\n".join(p.read_text(encoding="utf-8") for p in tree.code_files(root, "tests"))
    sources = re.sub(r'"\s*\n\s*"', "", sources)
    for number, line in enumerate(text.splitlines(), 1):
        for name in NAME.findall(line) if line.startswith("|") else ():
            if not all(part in sources for part in name.split("…")):
                found.append(f'tests/README.md:{number}: there is no test "{name}"')
    return found


if __name__ == "__main__":
    tree.run(check)
