# One OpenMP runtime runs everything: oneDNN, built for gcc's, must call the one that our compiler linked
# (docs/decisions.md, "One OpenMP runtime"). Two at once would use twice the threads and may hang.
set -eu
case $(uname -s) in Linux) ;; *) exit 77 ;; esac
ldd "$SAT3D_BINARY" | grep -q libdnnl || { echo "skipped: sat3d does not use oneDNN yet"; exit 77; }
if ldd "$SAT3D_BINARY" | grep -q musl; then echo "skipped: this loader does not tell"; exit 77; fi
bindings=$(LD_BIND_NOW=1 LD_DEBUG=bindings "$SAT3D_BINARY" --version 2>&1 |
    grep -E "symbol .(GOMP_parallel|__kmpc_fork_call|omp_get_[a-z_]*)'" || true)
runtimes=$(echo "$bindings" | grep -E 'binding file [^ ]*(sat3d|libdnnl)[^ ]* ' |
    sed -E 's/.* to ([^ ]+) .*/\1/' | sort -u)
[ "$(echo "$runtimes" | grep -c .)" -eq 1 ] || { echo "OpenMP comes from:"; echo "${runtimes:-nowhere}"; exit 1; }
