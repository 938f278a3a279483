#!/usr/bin/env python3
"""Checks that the table of docs/errors.md has a row for each enumerator of coproc::errc, in order.

usage: check_errors.py include/coproc/error.hpp docs/errors.md
"""
import re
import sys

header, page = (open(path, encoding="utf-8").read() for path in sys.argv[1:])
body = re.search(r"enum class errc \{(.*?)\n\};", header, re.S).group(1)
enumerators = re.findall(r"^\s*(\w+)(?:\s*=\s*\d+)?,?$", re.sub(r"//.*", "", body), re.M)
rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", page, re.M)

wrong = []
if len(enumerators) < 2:
    wrong.append("no enumerators found in the header")
if [name for name, _ in rows] != enumerators:
    wrong.append(f"rows:        {[name for name, _ in rows]}\nenumerators: {enumerators}")
for name, cells in rows:
    columns = [cell.strip() for cell in cells.split("|")]
    if len(columns) != 3 or not all(columns):
        wrong.append(f"{name}: meaning, certainty or remedy is missing")
    elif not re.search(r"not started|may have run|ran", columns[1]):
        wrong.append(f"{name}: no certainty in {columns[1]!r}")
for line in wrong:
    print(line)
sys.exit(bool(wrong))
