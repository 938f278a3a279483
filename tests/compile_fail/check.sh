#!/bin/sh
# Checks that a program does not compile and that the compiler prints what the program expects; and
# that with GOOD defined it does compile, so that it cannot fail for another reason.
#
# usage: check.sh SOURCE COMPILER [ARGUMENT...]
set -u
source=$1
shift

if ! said=$("$@" -DGOOD "$source" 2>&1); then
    printf '%s\n' "$said" "FAILED: with GOOD defined, $source should compile"
    exit 1
fi
if said=$("$@" "$source" 2>&1); then
    printf '%s\n' "FAILED: $source should not compile"
    exit 1
fi
sed -n 's|^// expect: ||p' "$source" | {
    expected=0
    while IFS= read -r words; do
        expected=1
        case $said in
        *"$words"*) ;;
        *)
            printf '%s\n' "$said" "FAILED: the compiler should say: $words"
            exit 1
            ;;
        esac
    done
    if [ "$expected" = 0 ]; then
        printf '%s\n' "FAILED: $source has no line '// expect: words'"
        exit 1
    fi
}
