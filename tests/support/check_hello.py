#!/usr/bin/env python3
"""Runs README's program and compares what it prints with what README says; and compares the program
itself with README, but for white space.

    check_hello.py PROGRAM SOURCE README
"""

import re
import subprocess
import sys

program, source, readme = sys.argv[1:]

printed = subprocess.run([program], capture_output=True, text=True, check=True).stdout
expected = (
    r'832040\ncrash: worker \d+ was killed by SIGABRT; the task may have run; look for a backtrace '
    r'in failure::worker\(\), and set task_options::retries if it may run twice\n'
)
if not re.fullmatch(expected, printed):
    sys.exit(f'it printed\n{printed}which is not\n{expected}')


def without_space(code):
    return re.sub(r'\s+', '', re.sub(r'//[^\n]*', '', code))


with open(readme, encoding='utf-8') as file:
    shown = re.search(r'```cpp\n(.*?)```', file.read(), re.S)[1]
with open(source, encoding='utf-8') as file:
    if without_space(shown) != without_space(file.read()):
        sys.exit(f'{source} is not the program of {readme}')
