#!/usr/bin/env python3
"""Counts test cases in the log of a `meson test` run and prints what the failed ones said.

A Catch2 program counts as many cases as its closing line says (2.13 and 3 word it alike); every other
test is one case. A program that failed without a failed case (it crashed, ran out of time, leaked) or
that passed without running any adds one failed case.
"""

import argparse
import json
import re
import sys

ALL_PASSED = re.compile(r'^All tests passed \(\d+ assertions? in (\d+) test cases?\)', re.M)
SOME_FAILED = re.compile(r'^test cases: +\d+ (\|.*)$', re.M)
NONE_RAN = re.compile(r'^(No tests ran|No test cases matched)', re.M)


def catch2_cases(output):
    """The passed and failed cases that a Catch2 program reports, or None for another program."""
    if match := ALL_PASSED.search(output):
        return int(match[1]), 0
    if match := SOME_FAILED.search(output):
        columns = {}
        for column in match[1].split('|')[1:]:
            number, word = column.strip().split(' ', 1)
            columns[word] = int(number)
        passed = columns.get('passed', 0) + columns.get('failed as expected', 0)
        return passed, columns.get('failed', 0)
    if NONE_RAN.search(output):
        return 0, 0
    return None


def count(test):
    """The passed and failed cases of one line of the log."""
    succeeded = test['result'] in ('OK', 'EXPECTEDFAIL')
    passed, failed = catch2_cases(test['stdout'] or '') or (int(succeeded), int(not succeeded))
    if failed == 0 and not (succeeded and passed):
        failed = 1
    return passed, failed


def show(test):
    print(f'---- {test["name"]}: {test["result"]}, exit status {test["returncode"]}')
    for stream in 'stdout', 'stderr':
        if test.get(stream):
            print(test[stream].rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--tally', help='append the two numbers to this file instead of printing')
    parser.add_argument('log', help='testlog.json of Meson')
    arguments = parser.parse_args()

    passed = failed = 0
    try:
        with open(arguments.log, encoding='utf-8') as log:
            tests = [json.loads(line) for line in log]
    except FileNotFoundError:
        tests = []
    for test in tests:
        if test['result'] == 'SKIP':
            print(f'skipped: {test["name"]}: {(test["stdout"] or "").strip()}')
            continue
        case_counts = count(test)
        passed += case_counts[0]
        failed += case_counts[1]
        if case_counts[1]:
            show(test)

    if arguments.tally:
        with open(arguments.tally, 'a', encoding='utf-8') as tally:
            tally.write(f'{passed} {failed}\n')
    else:
        print(f'{passed} passed, {failed} failed')
    sys.exit(failed > 0 or passed == 0)


main()
