# A segmentation that is told to stop stops with exit code 130, says so, and leaves nothing half-done.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$SAT3D_BINARY" demo "$work" >/dev/null
# Overlapping by nine tenths there are thousands of windows: it would run for many minutes.
"$SAT3D_BINARY" segment "$work/phantom.nii.gz" --model "$work/tiny.safetensors" --modality ct -p liver --overlap 0.9 \
    --dtype f32 -o "$work/masks" >"$work/stdout" 2>"$work/stderr" &
child=$!
sleep 2
kill -TERM "$child"
code=0
wait "$child" || code=$?
[ "$code" -eq 130 ] || { echo "exit code $code, not 130"; cat "$work/stderr"; exit 1; }
grep -q 'interrupted' "$work/stderr" || { echo "it does not say why:"; cat "$work/stderr"; exit 1; }
[ ! -s "$work/stdout" ] || { echo "results were printed"; exit 1; }
left=$(find "$work/masks" -type f 2>/dev/null || true)
[ -z "$left" ] || { echo "left behind: $left"; exit 1; }
