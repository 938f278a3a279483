#!/usr/bin/env python3
"""Checks that the table of docs/errors.md has a row for each enumerator of coproc::errc, in order,
and that both say the same of what may be known about whether the task ran: what stands behind
"Certainty:" in the enumerator's comment, and the column of the table.

usage: check_errors.py include/coproc/error.hpp docs/errors.md
"""
import re
import sys


def certainties(text):
    words = re.findall(r"not[ _]started|may[ _]have[ _]run|\bran\b", text)
    return {word.replace(" ", "_") for word in words}


header, page = (open(path, encoding="utf-8").read() for path in sys.argv[1:])
body = re.search(r"enum class errc \{(.*?)\n\};", header, re.S).group(1)
enumerators = re.findall(r"((?:^ *///.*\n)*)^ *(\w+)(?: = \d+)?,?$", body, re.M)
rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", page, re.M)

wrong = []
if len(enumerators) < 2:
    wrong.append("no enumerators found in the header")
names = [name for _, name in enumerators]
if [name for name, _ in rows] != names:
    wrong.append(f"rows:        {[name for name, _ in rows]}\nenumerators: {names}")
in_header = {}
for comment, name in enumerators:
    text = re.sub(r"\s*///", "", comment)
    in_header[name] = certainties(text.partition("Certainty:")[2])
    if not in_header[name]:
        wrong.append(f"{name}: its comment has no 'Certainty:' with one of the three behind it")
for name, cells in rows:
    columns = [cell.strip() for cell in cells.split("|")]
    if len(columns) != 3 or not all(columns):
        wrong.append(f"{name}: meaning, certainty or remedy is missing")
    elif certainties(columns[1]) != in_header.get(name):
        both = f"{certainties(columns[1])} in the table, {in_header.get(name)} in the header"
        wrong.append(f"{name}: {both}")
for line in wrong:
    print(line)
sys.exit(bool(wrong))
