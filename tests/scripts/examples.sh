# Every command line that the README and the help pages show is one that the program understands: each is run with
# --help at its end, so that its verb and all its options are looked up, and nothing is done.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sat3d() { "$SAT3D_BINARY" "$@"; }
awk '/^```/ {fenced = !fenced} fenced && /^ *sat3d [a-z]+ /' README.md docs/*.md | sed 's/ #.*//' >"$work/lines"
for verb in $(sat3d --help | sed -nE 's/^  ([a-z]+) {2,}.*/\1/p'); do
    sat3d "$verb" --help | sed -n '3,/^$/p' | grep '^  sat3d' >>"$work/lines"
done
failed=0
while read -r line; do
    (eval "$line --help" >/dev/null 2>"$work/said") || { echo "$line"; sed 's/^/    /' "$work/said"; failed=1; }
done <"$work/lines"
[ "$(wc -l <"$work/lines")" -ge 5 ] || { echo "too few examples were found"; failed=1; }
exit $failed
