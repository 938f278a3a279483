#!/usr/bin/env python3
"""Compiles one file with the flags of another, as a test.

With --fails the test passes if the compiler refuses exactly the lines below comments of the form
`// error: some words`, saying these words. Several such comments may stand above one line.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys


def flags_of(source, commands_file):
    """The command that compiles source, without its input and outputs, and its directory."""
    with open(commands_file, encoding='utf-8') as commands:
        for entry in json.load(commands):
            if os.path.realpath(os.path.join(entry['directory'], entry['file'])) == source:
                break
        else:
            sys.exit(f'{commands_file} does not say how {source} is compiled')
    flags = []
    words = iter(shlex.split(entry['command']))
    for word in words:
        if word in ('-o', '-MF', '-MQ'):
            next(words)
        elif word not in ('-c', '-MD', entry['file']):
            flags.append(word)
    return flags, entry['directory']


def announced_errors(source):
    """Which words the file announces: a list for each line number."""
    announced = {}
    waiting = []
    with open(source, encoding='utf-8') as text:
        for number, line in enumerate(text, start=1):
            comment = re.match(r'\s*// error: (.*)', line)
            if comment:
                waiting.append(comment.group(1))
            elif waiting:
                announced[number] = waiting
                waiting = []
    return announced


def reported_errors(source, said):
    """What the compiler said about each refused line. Errors in other files count as line 0."""
    reported = {}
    line = None
    for text in said.splitlines(keepends=True):
        error = re.match(r'(.*?):(\d+):(?:\d+:)? (?:fatal )?error: ', text)
        if error:
            line = int(error.group(2)) if os.path.realpath(error.group(1)) == source else 0
        if line is not None:
            reported[line] = reported.get(line, '') + text
    return reported


def judge_refusal(source, said):
    """Exits with the reason if the compiler did not refuse just the announced lines in their words."""
    announced = announced_errors(source)
    reported = reported_errors(os.path.realpath(source), said)
    if not announced:
        sys.exit(f'{source} announces no error')
    if unexpected := reported.keys() - announced.keys():
        sys.exit(f'{said}\n{source}: no error was announced for lines {sorted(unexpected)}')
    for number, wanted in announced.items():
        for words in wanted:
            if words not in reported.get(number, ''):
                sys.exit(f'{said}\n{source}:{number}: the compiler did not say: {words}')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--commands', required=True, help='compile_commands.json')
    parser.add_argument('--flags-of', required=True, help='the file in it whose flags are taken')
    parser.add_argument('--fails', action='store_true', help='the file must not compile')
    parser.add_argument('source')
    parser.add_argument('output', help='the object file')
    arguments = parser.parse_args()

    output = os.path.abspath(arguments.output)
    source = os.path.abspath(arguments.source)
    flags, directory = flags_of(os.path.realpath(arguments.flags_of), arguments.commands)
    compiler = subprocess.run(
        [*flags, '-fdiagnostics-color=never', '-o', output, '-c', source],
        cwd=directory, stderr=subprocess.PIPE, text=True, check=False)
    if arguments.fails:
        judge_refusal(source, compiler.stderr)
    elif compiler.returncode != 0 or compiler.stderr:
        sys.exit(compiler.stderr)


main()
