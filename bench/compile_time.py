#!/usr/bin/env python3
"""How long a program takes to compile that includes <coproc/coproc.hpp>, beside one that includes
only the parts of Asio that both need.

usage: compile_time.py BUILD_DIR [--json FILE] [--repetitions N]
BUILD_DIR is a configured Meson build directory, for its compiler and the flags of its pkg-config
file; scripts/bench compile-time gives it.
"""
import argparse
import itertools
import json
import os
import pathlib
import resource
import shlex
import statistics
import subprocess
import tempfile

# What a small program uses, and deferred.hpp, which coproc.hpp includes and these do not.
ASIO = """\
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/deferred.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/this_coro.hpp>
#include <stdexcept>
"""
MAIN = """\
int main(int argc, char** argv) {
    %s
    asio::io_context loop;
    asio::co_spawn(loop, run(), asio::detached);
    loop.run();
    return argc > 1 && argv;
}
"""
SQUARE = "int square(int n) { return n * n; }\n"

# Of each figure the program, and its floor.
PROGRAMS = {
    "includes": (ASIO + "#include <coproc/coproc.hpp>\nint main() {}\n", ASIO + "int main() {}\n"),
    "one_task": (
        ASIO
        + "#include <coproc/coproc.hpp>\n"
        + SQUARE
        + """\
asio::awaitable<void> run() {
    coproc::executor executor(co_await asio::this_coro::executor);
    coproc::result<int> got = co_await executor.submit(square, 3);
    if (!got) {
        throw std::runtime_error(got.error().message());
    }
}
"""
        + MAIN % "coproc::init(argc, argv);",
        ASIO
        + SQUARE
        + """\
asio::awaitable<int> later(int n) { co_return square(n); }
asio::awaitable<void> run() {
    if (co_await later(3) != 9) {
        throw std::runtime_error("wrong");
    }
}
"""
        + MAIN % "",
    ),
}


def compiler_of(build_dir):
    """What the build directory was configured with, without the cache that may stand before it."""
    commands = json.loads((build_dir / "compile_commands.json").read_text(encoding="utf-8"))
    cpp = next(c["command"] for c in commands if c["file"].endswith(".cpp"))
    words = itertools.takewhile(lambda word: not word.startswith("-"), shlex.split(cpp))
    return [word for word in words if os.path.basename(word) not in ("ccache", "sccache")]


def flags_of(build_dir):
    """As a user's build has them: release, and what pkg-config says."""
    where = dict(os.environ, PKG_CONFIG_PATH=str(build_dir / "meson-uninstalled"))
    told = subprocess.check_output(["pkg-config", "--cflags", "coproc"], env=where, text=True)
    return ["-std=c++20", "-O3", "-DNDEBUG", *told.split()]


def cpu_seconds(command):
    """User and system time, which other programs on the machine change less than the duration."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def measure(compile_command, pair, repetitions):
    """The medians of a program and of its floor, compiled in turn."""
    with tempfile.TemporaryDirectory() as place:
        sources = [os.path.join(place, name) for name in ("ours.cpp", "floor.cpp")]
        times = [[], []]
        for source, text in zip(sources, pair):
            pathlib.Path(source).write_text(text, encoding="utf-8")
        for repetition in range(repetitions + 1):
            for source, taken in zip(sources, times):
                seconds = cpu_seconds([*compile_command, "-c", source, "-o", source + ".o"])
                if repetition > 0:  # the first reads the headers from the disk
                    taken.append(seconds)
        return [statistics.median(taken) for taken in times]


def main():
    parser = argparse.ArgumentParser(prog="compile_time")
    parser.add_argument("build_dir", type=pathlib.Path)
    parser.add_argument("--json", metavar="FILE", help="append one line per figure")
    parser.add_argument("--repetitions", metavar="N", type=int, default=7)
    given = parser.parse_args()
    if given.repetitions < 1:
        parser.error("--repetitions must be at least 1")
    command = [*compiler_of(given.build_dir), *flags_of(given.build_dir)]
    for metric, pair in PROGRAMS.items():
        value, floor = measure(command, pair, given.repetitions)
        ratio = value / floor
        extra = f'"repetitions":{given.repetitions}'
        print(
            f"{'compile_time':<12} {metric:<18} {value:12.2f} {'s':<8} floor {floor:12.2f}   "
            f"ratio {ratio:5.2f}   {extra}",
            flush=True,
        )
        if given.json:
            with open(given.json, "a", encoding="utf-8") as out:
                out.write(
                    f'{{"bench":"compile_time", "metric":"{metric}", "value":{value:.6g}, '
                    f'"unit":"s", "floor":{floor:.6g}, "ratio":{ratio:.6g}, {extra}}}\n'
                )


if __name__ == "__main__":
    main()
