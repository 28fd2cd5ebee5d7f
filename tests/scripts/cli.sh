# Command-line tests: tests/cli/<case>/ holds
#   command   a shell script that calls sat3d; its working folder is a fresh copy of the case
#   stdout, stderr, exit   what is expected; a missing file means nothing, and exit code 0
#   edit      optional: a sed script that both outputs go through first (times, versions)
# Usage: sh tests/scripts/cli.sh [--accept] [CASE...]      --accept rewrites what was expected
set -eu
accept=no
if [ "${1-}" = --accept ]; then accept=yes; shift; fi
SAT3D_ROOT=$PWD
binary=${SAT3D_BINARY:-$PWD/build/sat3d}
[ -x "$binary" ] || { echo "$binary is not there; build first"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
ln -s "$binary" "$work/bin/sat3d"
PATH=$work/bin:$PATH
export SAT3D_ROOT PATH LC_ALL=C.UTF-8 XDG_CACHE_HOME="$work/cache"

if [ $# -eq 0 ]; then
    for command in tests/cli/*/command; do set -- "$@" "$(basename "$(dirname "$command")")"; done
fi
failed=0
for name in "$@"; do
    case=tests/cli/$name
    cp -r "$case" "$work/case"
    code=0
    (cd "$work/case" && sh ./command >"$work/stdout" 2>"$work/stderr" </dev/null) || code=$?
    echo "$code" >"$work/exit"
    if [ -f "$case/edit" ]; then
        for stream in stdout stderr; do
            sed -E -f "$case/edit" "$work/$stream" >"$work/edited" && mv "$work/edited" "$work/$stream"
        done
    fi
    for stream in stdout stderr exit; do
        expected=$work/expected
        if [ -f "$case/$stream" ]; then
            cp "$case/$stream" "$expected"
        elif [ "$stream" = exit ]; then
            echo 0 >"$expected"
        else
            : >"$expected"
        fi
        if ! diff -u "$expected" "$work/$stream" >"$work/diff"; then
            echo "--- $name: $stream"
            sed 1,2d "$work/diff"
            if [ "$accept" = yes ]; then
                cp "$work/$stream" "$case/$stream"
            else
                failed=1
            fi
        fi
    done
    rm -rf "$work/case"
done
if [ "$failed" -ne 0 ]; then
    echo "if the new output is right: sh tests/scripts/cli.sh --accept"
fi
exit $failed
