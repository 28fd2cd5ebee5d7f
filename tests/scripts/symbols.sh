# libsat3d.so shows sat_* and nothing else, and every function of the public header is there.
set -eu
library=$SAT3D_BUILD/libsat3d.so
exported=$(nm -D --defined-only "$library" | awk '{print $NF}' | sed 's/@.*//' | sort -u)
strangers=$(echo "$exported" | grep -v '^sat_' || true)
[ -z "$strangers" ] || { echo "exported by libsat3d.so but not ours to show:"; echo "$strangers"; exit 1; }
failed=0
for name in $(grep -oE '^SAT_API [^(]*\(' include/sat3d.h | grep -oE 'sat_[a-z0-9_]+\($' | tr -d '('); do
    echo "$exported" | grep -qx "$name" || { echo "promised by sat3d.h but not exported: $name"; failed=1; }
done
[ -n "$exported" ] || { echo "nothing is exported"; failed=1; }
exit $failed
