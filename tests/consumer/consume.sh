#!/usr/bin/env bash
# Builds a user's program in the way that is named, runs it and compares what it prints.
#   consume.sh WAY PACKAGE SOURCE EXPECTED [ARGUMENT...]
# WAY: pkg_config, subproject or cmake; library: SOURCE is one, of the program uses_SOURCE, and what is
# installed lies elsewhere than where it was to be installed.
# Meson's tests set SOURCE_ROOT, BUILD_ROOT, PREFIX, LIBDIR and CXX.
set -euo pipefail
way=$1 package=$2 source=$3 expected=$4
shift 4

work=$PWD/$way-$(basename "$source" .cpp)
rm -rf "$work"
mkdir "$work"
cd "$work"

# Installs coproc into a directory of this test, where the user's build looks for it.
install_here() {
    meson install -C "$BUILD_ROOT" --no-rebuild --quiet --destdir "$work/root"
    installed=$work/root$PREFIX
    export LD_LIBRARY_PATH=$installed/$LIBDIR${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
}

# $CXX may be several words, and pkg-config's answer is meant to be.
pkg_config() {
    install_here
    export PKG_CONFIG_PATH=$installed/$LIBDIR/pkgconfig
    flags=$(pkg-config --define-variable=prefix="$installed" --cflags --libs "$package")
    echo "$CXX -std=c++20 $source -o program $flags"
    $CXX -std=c++20 "$source" -o program $flags
}

library() {
    install_here
    export PKG_CONFIG_PATH=$installed/$LIBDIR/pkgconfig
    flags=$(pkg-config --define-variable=prefix="$installed" --cflags --libs "$package")
    $CXX -std=c++20 -fPIC -shared "$source" -o libuser.so $flags
    $CXX -std=c++20 "$(dirname "$source")/uses_$(basename "$source")" -o program \
        -L. -luser -Wl,-rpath,"$work"
}

subproject() {
    mkdir user user/subprojects
    cp "$SOURCE_ROOT"/tests/consumer/subproject/* user/
    cp "$source" user/program.cpp
    ln -s "$SOURCE_ROOT" user/subprojects/coproc
    meson setup build user --buildtype=plain --unity=subprojects -Dpackage="$package"
    ninja -C build program
    ln -s build/program program
}

cmake() {
    install_here
    cp -r "$SOURCE_ROOT/tests/consumer/cmake" user
    cp "$source" user/program.cpp
    command cmake -S user -B build -DCMAKE_PREFIX_PATH="$installed" -DTARGET="$package"
    command cmake --build build
    ln -s build/program program
}

"$way"
printed=$(./program "$@")
echo "printed:  $printed"
echo "expected: $expected"
[ "$printed" = "$expected" ]
