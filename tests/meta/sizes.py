#!/usr/bin/env python3
"""Files of the code over 400 lines are named in a DESIGN.md, with the reason."""

import tree

LIMIT = 400


def check(root):
    designs = [p.read_text(encoding="utf-8") for p in sorted(root.glob("*/DESIGN.md"))]
    found = []
    for path in tree.code_files(root, "libipc", "daemon", "ctl", "tests"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > LIMIT and not any(path.name in text for text in designs):
            found.append(f"{path.relative_to(root)}: {lines} lines; cut it, or say why in a DESIGN.md")
    return found


if __name__ == "__main__":
    tree.run(check)
