#!/usr/bin/env python3
"""Each blocking call of the public headers stands in the matrix of tests/wakes, and nothing else does.

    wakes.py ROOT

A blocking call is one that has a form with a timeout: NAME_for(std::chrono::duration... The calls of WITHOUT wait for
processes and their work, not for objects.
"""

import re

import tree

INCLUDE = "libipc/include/muster"
MATRIX = "tests/wakes/matrix.hpp"
WITHOUT = (("pool.hpp", "wait_for"), ("process.hpp", "join_for"), ("spawn.hpp", "wait_for"))
CALL = re.compile(r"\b(\w+_for)\((?:[^()]*, )?std::chrono::duration")
ROW = re.compile(r'\{"(\w+\.hpp)", "(\w+)", Primitive::\w+\}')


def check(root):
    there = {(path.relative_to(root / INCLUDE).as_posix(), name) for path in tree.code_files(root, INCLUDE)
             for name in CALL.findall(path.read_text(encoding="utf-8"))}
    rows = set(ROW.findall((root / MATRIX).read_text(encoding="utf-8")))
    found = [f"{INCLUDE}/{header}: {call} blocks, and is not in {MATRIX}" for header, call in sorted(there - rows)
             if (header, call) not in WITHOUT]
    return found + [f"{MATRIX}: {header} has no {call}" for header, call in sorted(rows - there)]


if __name__ == "__main__":
    tree.run(check)
