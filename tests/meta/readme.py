#!/usr/bin/env python3
"""What the pages show is there.

    readme.py ROOT [BIN]

A code block after `<!-- same as FILE -->` is that file. Relative links and `scripts/...`, `tests/...` and the like in
code exist. With BIN, each `musterctl VERB` and `--option` of musterd's that a page shows is one that the program's
own --help knows.
"""

import re
import subprocess
from pathlib import Path

import tree

PAGES = ("README.md", "CONTRIBUTING.md", "libipc/DESIGN.md", "libipc/LAYOUT.md", "daemon/DESIGN.md")
SAME = re.compile(r"<!-- same as (\S+) -->\n+```[^\n]*\n(.*?)```", re.S)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
PATH = re.compile(r"(?<![\w./<-])((?:scripts|libipc|daemon|ctl|systemd|tests)/[\w./-]*\w)(?![\w<*{/])")
VERB = re.compile(r"^(?:\$ )?musterctl (?:--?[\w-]+ )*([a-z]+)(?: ([a-z]+))?", re.M)
BLOCK = re.compile(r"```[^\n]*\n(.*?)```", re.S)


def check_page(root, name):
    text = (root / name).read_text(encoding="utf-8")
    found = []
    for file, code in SAME.findall(text):
        if not (root / file).is_file():
            found.append(f"{name}: same as {file}, which is not there")
        elif (root / file).read_text(encoding="utf-8") != code:
            found.append(f"{name}: the code is not the same as {file}")
    for link in LINK.findall(text):
        if not ((root / name).parent / link).exists():
            found.append(f"{name}: links to {link}, which is not there")
    for path in PATH.findall(text):
        if not (root / path).exists():
            found.append(f"{name}: speaks of {path}, which is not there")
    return found


def help_of(command):
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, timeout=20, check=False)
    return done.stdout if done.returncode == 0 else None


def check_commands(root, name, programs):
    found = []
    for block in BLOCK.findall((root / name).read_text(encoding="utf-8")):
        for verb, below in VERB.findall(block):
            known = help_of([f"{programs}/musterctl", verb])
            if known is None:
                found.append(f"{name}: musterctl knows no {verb}")
            elif verb in ("dict", "list", "queue", "lock") and help_of([f"{programs}/musterctl", verb, below]) is None:
                found.append(f"{name}: musterctl knows no {verb} {below}")
        known = help_of([f"{programs}/musterd"]) or ""
        for options in re.findall(r"^(?:\$ )?musterd( [^#\n]*)", block, re.M):
            for option in re.findall(r" (--[\w-]+)", options):
                if option not in known:
                    found.append(f"{name}: musterd knows no {option}")
    return found


def check(root, programs=None):
    found = []
    for name in PAGES:
        if (root / name).is_file():
            found += check_page(root, name)
            if programs and all(Path(programs, program).exists() for program in ("musterctl", "musterd")):
                found += check_commands(root, name, programs)
    return found


if __name__ == "__main__":
    tree.run(check)
