# Both libraries show sat_* and nothing else, and every function of the public header is there.
set -eu
failed=0
names() { awk 'NF >= 3 {print $NF}' | sed 's/@.*//' | sort -u; }
exported=$(nm -D --defined-only "$SAT3D_BUILD/libsat3d.so" | names)
linkable=$(nm -g --defined-only "$SAT3D_BUILD/libsat3d.a" | names)
# Sanitizers, coverage and clang's OpenMP add names of their own, with underscores or a dot in front.
strangers=$(printf '%s\n' "$exported" "$linkable" | sort -u | grep -vE '^(sat_|__|\.)' || true)
[ -z "$strangers" ] || { echo "shown by libsat3d but not ours to show:"; echo "$strangers"; failed=1; }
for name in $(grep -oE '^SAT_API [^(]*\(' include/sat3d.h | grep -oE 'sat_[a-z0-9_]+\($' | tr -d '('); do
    for list in "$exported" "$linkable"; do
        echo "$list" | grep -qx "$name" || { echo "promised by sat3d.h but not in the library: $name"; failed=1; }
    done
done
[ -n "$exported" ] && [ -n "$linkable" ] || { echo "nothing is exported"; failed=1; }
exit $failed
