#!/usr/bin/env python3
"""Compiles one file with the flags of another, as a test.

With --fails the test passes if the compiler refuses the file and says what the file announces in
comments of the form `// error: some words`, each of them.
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


def judge_refusal(source, compiler):
    """Exits with the reason if the compiler did not refuse the source in the announced words."""
    if compiler.returncode == 0:
        sys.exit(f'{source} compiles, and must not')
    with open(source, encoding='utf-8') as text:
        announced = re.findall(r'// error: (.*)', text.read())
    if not announced:
        sys.exit(f'{source} announces no error')
    for words in announced:
        if words not in compiler.stderr:
            sys.exit(f'{compiler.stderr}\n{source}: the compiler did not say: {words}')


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
        judge_refusal(source, compiler)
    elif compiler.returncode != 0 or compiler.stderr:
        sys.exit(compiler.stderr)


main()
