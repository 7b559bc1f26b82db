"""The map in src/README.md is true: every folder has a row, and includes only what its row allows."""
import glob
import os
import re
import sys

SOURCE = os.environ.get("FDSUP_SOURCE", os.path.join(os.path.dirname(__file__), ".."))
SRC = os.path.join(SOURCE, "src")


def read_map():
    """{folder: set of folders and headers it may include}, from the indented table."""
    allowed = {}
    for line in open(os.path.join(SRC, "README.md")):
        cells = re.split(r" {2,}", line.strip())
        if not line.startswith("    ") or len(cells) != 3 or not os.path.isdir(os.path.join(SRC, cells[0])):
            continue
        name, _, words = cells
        if words == "all of the above":
            allowed[name] = set(allowed)
        else:
            allowed[name] = set(words.split()) - {"nothing", "of", "fdsup"}
    return allowed


def main():
    allowed = read_map()
    wrong = ["src/%s has no row" % d for d in sorted(os.listdir(SRC))
             if os.path.isdir(os.path.join(SRC, d)) and d not in allowed]
    n = 0
    for path in sorted(glob.glob(os.path.join(SRC, "*", "**", "*.[ch]"), recursive=True)):
        folder = os.path.relpath(path, SRC).split(os.sep)[0]
        for number, line in enumerate(open(path), 1):
            match = re.match(r'#include "(([a-z]+)/[^"]+)"', line)
            if not match:
                continue
            n += 1
            header, other = match.groups()
            rules = allowed.get(folder, set())
            if other not in rules | {folder, "fdsup"} and os.path.basename(header) not in rules:
                wrong.append("%s:%d: %s may not include %s" % (os.path.relpath(path, SOURCE), number, folder, header))
    print("%d folders, %d includes" % (len(allowed), n))
    for text in wrong:
        print(text)
    sys.exit(1 if wrong or n < 100 else 0)


if __name__ == "__main__":
    main()
