# Every header compiles alone as C17; the public one as C17 and C++17, pedantically.
set -eu
cc=${CC:-cc}
failed=0
check() { # COMPILER LANGUAGE FLAGS HEADER
    # shellcheck disable=SC2086 # flags are words
    echo "#include \"$4\"" | $1 -x "$2" $3 -Wall -Wextra -Werror -fsyntax-only -Iinclude -Isrc -I. - || {
        echo "does not compile alone: $4 ($2 $3)"
        failed=1
    }
}
for header in $(find src -name '*.h' | sort); do
    flags=-std=c17
    case $header in
    */avx2/*) flags="$flags -mavx2 -mfma -mf16c" ;;
    */avx512*/*) flags="$flags -march=cooperlake" ;;
    esac
    check "$cc" c "$flags" "${header#src/}"
done
check "$cc" c '-std=c17 -Wpedantic' sat3d.h
check "$cc" c '-std=c2x -Wpedantic' sat3d.h
cxx=
for candidate in "${CXX:-}" g++ clang++ c++; do
    [ -z "$candidate" ] || ! command -v "$candidate" >/dev/null || { cxx=$candidate; break; }
done
if [ -n "$cxx" ]; then
    check "$cxx" c++ '-std=c++17 -Wpedantic' sat3d.h
else
    echo "SKIPPED: no C++ compiler for the public header as C++17"
fi
exit $failed
