#!/usr/bin/env python3
"""Runs a program and compares what it prints with regular expressions, one for each line, which may
come in any order.

    check_output.py PROGRAM EXPECTED
"""

import re
import subprocess
import sys

program, expected = sys.argv[1:]

printed = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=True).stdout
with open(expected, encoding='utf-8') as file:
    patterns = file.read().splitlines()
left = list(patterns)
for line in printed.splitlines():
    matching = next((pattern for pattern in left if re.fullmatch(pattern, line)), None)
    if matching is None:
        sys.exit(f'it printed\n{printed}of which this was not expected:\n{line}')
    left.remove(matching)
if left:
    sys.exit(f'it printed\n{printed}in which these lines are missing:\n' + '\n'.join(left))
