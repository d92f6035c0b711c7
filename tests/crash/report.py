#!/usr/bin/env python3
"""Makes one report of what the crash tests have told, and holds it against what they promise.

    report.py FOLDER REPORT     FOLDER: what each told (report.hpp), removed afterwards; REPORT: the file to write

Fails when an operation has not been examined, an operation was not really killed, fewer than 5,000 distinct images or
1,000 kills were survived, or a mutant was not caught. Of a part of the tests no report is made: exit code 77.
"""

import shutil
import sys
from pathlib import Path

MIN_IMAGES, MIN_KILLS = 5000, 1000
MUTANTS = {"unlogged_word", "count_before_entry", "early_commit", "consistent_before_rollback", "missing_wake",
           "leaked_extent", "missing_fence", "early_decision", "mark_late", "early_unmark"}
COLUMNS = ("images", "of recoveries", "of theirs", "kills")


def records(folder):
    """kind -> list of fields."""
    found = {"row": [], "images": [], "kills": [], "mutant": []}
    for file in sorted(folder.glob("*")):
        for line in file.read_text().splitlines():
            kind, *fields = line.split("\t")
            found[kind].append(fields)
    return found


def table(examined):
    """Lines: a sum for each area."""
    areas = {}
    for name, *numbers in examined:
        sums = areas.setdefault(name.partition(":")[0], [0] * (1 + len(COLUMNS)))
        for i, number in enumerate([1, *map(int, numbers)]):
            sums[i] += number
    total = [sum(column) for column in zip(*areas.values())]
    width = max(map(len, areas))
    head = f"{'':{width}} {'operations':>11}" + "".join(f"{column:>15}" for column in COLUMNS)
    rows = [f"{area:{width}} {sums[0]:11}" + "".join(f"{n:15}" for n in sums[1:])
            for area, sums in [*areas.items(), ("", total)]]
    return [head, *rows], total


def main():
    folder, report = Path(sys.argv[1]), Path(sys.argv[2])
    report.unlink(missing_ok=True)
    found = records(folder) if folder.is_dir() else {}
    shutil.rmtree(folder, ignore_errors=True)
    areas_there = {fields[0].partition(":")[0] for fields in found.get("row", [])}
    areas_done = {fields[0].partition(":")[0] for fields in found.get("images", [])}
    if not areas_there or areas_there != areas_done or not found["kills"] or not found["mutant"]:
        print("SKIP: only a part of the crash tests was run")
        return 77
    lines, total = table(found["images"])
    loaded = sum(int(fields[1]) for fields in found["kills"])
    caught = {fields[0] for fields in found["mutant"]}
    operations, images, kills = total[0], total[1], total[4] + loaded
    lines.append(f"{operations} operations, {images} distinct images, {total[2]} of recoveries, {total[3]} of recoveries "
                 f"of these; {kills} kills ({total[4]} at chosen stores, {loaded} under load); {len(caught)} mutants "
                 "caught")
    text = "\n".join(["crash tests:", *lines]) + "\n"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(text)
    print(text)
    wrong = [f"'{fields[0]}' was not examined" for fields in found["row"]
             if fields[0] not in {done[0] for done in found["images"]}]
    wrong += [f"'{fields[0]}': no image or no kill" for fields in found["images"] if "0" in (fields[1], fields[4])]
    wrong += [f"fewer than {MIN_IMAGES} distinct images"] if images < MIN_IMAGES else []
    wrong += [f"fewer than {MIN_KILLS} kills"] if kills < MIN_KILLS else []
    wrong += [f"the mutant {name} was not caught" for name in sorted(MUTANTS - caught)]
    for what in wrong:
        print(f"FAILED: {what}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
