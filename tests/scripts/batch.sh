# Killed at random moments, a batch is completed by a second run, and no file under its final name is ever partial.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$SAT3D_BINARY" demo "$work" >/dev/null
mkdir "$work/scans"
for n in 1 2 3; do cp tests/golden/pipeline/ct_ras_plain/image.nii.gz "$work/scans/case$n.nii.gz"; done
echo 'no scan' >"$work/scans/damaged.nii"
set -- segment "$work/scans" --model "$work/tiny.safetensors" --modality ct -p liver -p 'left kidney' --dtype f32 --overlap 0 --quiet
sums() { (cd "$1" && find . ! -name '.*' \( -name '*.nii.gz' -o -name segmentation.json \) | sort | xargs -r sha256sum); }

code=0
start=$(date +%s%N)
"$SAT3D_BINARY" "$@" -o "$work/whole" >"$work/table" || code=$?
took=$((($(date +%s%N) - start) / 1000000))
[ "$code" -eq 1 ] || { echo "exit code $code, not 1, with one damaged scan"; exit 1; }
grep -q '4 cases: 3 segmented, 0 finished before, 1 failed' "$work/table" || { cat "$work/table"; exit 1; }
sums "$work/whole" >"$work/expected"
[ "$(wc -l <"$work/expected")" -eq 9 ] || { echo "9 files expected:"; cat "$work/expected"; exit 1; }

for share in 31 45 55 63 70 76 82 87 92 96; do
    "$SAT3D_BINARY" "$@" -o "$work/killed" >/dev/null 2>&1 &
    child=$!
    milliseconds=$((took * share / 100))
    sleep "$((milliseconds / 1000)).$(printf %03d $((milliseconds % 1000)))"
    kill -KILL "$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
    # What has its final name is what the whole run wrote.
    [ -d "$work/killed" ] || continue
    sums "$work/killed" >"$work/found"
    extra=$(grep -vxFf "$work/expected" "$work/found" || true)
    [ -z "$extra" ] || { echo "after a kill at $milliseconds ms, not as it should be: $extra"; exit 1; }
done
"$SAT3D_BINARY" "$@" -o "$work/killed" >"$work/table" || true
sums "$work/killed" | diff - "$work/expected" || { echo "the last run did not complete"; cat "$work/table"; exit 1; }
"$SAT3D_BINARY" "$@" -o "$work/killed" >"$work/table" || true
grep -q '4 cases: 0 segmented, 3 finished before, 1 failed' "$work/table" || { cat "$work/table"; exit 1; }

# A manifest; failures of one do not stop the others; the scans' folder is untouched.
printf '{"image": "scans/case1.nii.gz", "label": ["liver"], "modality": "ct", "dataset": "A"}\n{"image": "gone.nii"}\nbad\n' >"$work/m.jsonl"
code=0
"$SAT3D_BINARY" segment --manifest "$work/m.jsonl" --model "$work/tiny.safetensors" --dtype f32 --overlap 0 --json \
    -o "$work/m" >"$work/json" 2>"$work/stderr" || code=$?
[ "$code" -eq 1 ] && [ -f "$work/m/A/case1/liver.nii.gz" ] && [ -f "$work/m/batch.csv" ] || { cat "$work/stderr"; exit 1; }
cmp "$work/json" "$work/m/batch.json"
grep -q 'line 3: not valid JSON' "$work/stderr" || { cat "$work/stderr"; exit 1; }
[ "$(find "$work/scans" | wc -l)" -eq 5 ] || { find "$work/scans"; exit 1; }

# Every output of a single scan, for each of two: the same bytes, in the case's folder, and known to be finished.
rm "$work/scans/damaged.nii" "$work/scans/case3.nii.gz"
set -- --model "$work/tiny.safetensors" --modality ct -p liver -p 'left kidney' --dtype f32 --overlap 0 --quiet --probabilities
named() { echo "--label-map $1label_map.nii.gz --statistics $1statistics.csv --preview $1preview.png --report $1report.html"; }
mkdir "$work/one"
"$SAT3D_BINARY" segment "$work/scans/case2.nii.gz" "$@" $(named "$work/one/") -o "$work/one" >"$work/table"
"$SAT3D_BINARY" segment "$work/scans" "$@" $(named "") -o "$work/all" >"$work/table"
for case in case1 case2; do
    for file in liver.nii.gz left_kidney.nii.gz liver_probability.nii.gz left_kidney_probability.nii.gz label_map.nii.gz label_map.txt \
        label_map.ctbl statistics.csv preview.png report.html segmentation.json; do
        [ -s "$work/all/$case/$file" ] || { echo "$case has no $file"; exit 1; }
        grep -q "\"$file\"" "$work/all/$case/.finished.json" || [ "$file" = segmentation.json ] || { echo "$file is not listed"; exit 1; }
        [ $case = case1 ] || [ $file = report.html ] || cmp "$work/one/$file" "$work/all/$case/$file"
    done
done
"$SAT3D_BINARY" segment "$work/scans" "$@" $(named "") -o "$work/all" | grep -q '2 cases: 0 segmented, 2 finished before'
rm "$work/all/case1/preview.png"
"$SAT3D_BINARY" segment "$work/scans" "$@" $(named "") -o "$work/all" | grep -q '2 cases: 1 segmented, 1 finished before'
"$SAT3D_BINARY" segment "$work/scans" "$@" $(named "") --threshold 0.4 -o "$work/all" | grep -q '2 cases: 2 segmented, 0 finished before'
for wrong in '--label-map maps/map.nii.gz' '--statistics ../all.csv' '--preview picture.jpg' '--report .report.html'; do
    code=0
    "$SAT3D_BINARY" segment "$work/scans" "$@" $wrong -o "$work/refused" 2>"$work/stderr" || code=$?
    [ "$code" -eq 2 ] && [ ! -e "$work/refused" ] && grep -q 'where there are several scans' "$work/stderr" ||
        { echo "$wrong: exit code $code"; cat "$work/stderr"; exit 1; }
done

# --compat: a line's files are those of a single run, the dataset is the line's, the manifest is copied; a second sample of the same
# name in one dataset is refused by name, in another dataset it is not.
mkdir "$work/scans/again"
cp "$work/scans/case2.nii.gz" "$work/scans/again/case1.nii.gz"
line() { printf '{"image": "%s", "label": ["liver", "left kidney"], "modality": "ct", "dataset": "%s"}\n' "$1" "$2"; }
{ line scans/case1.nii.gz A; line scans/case2.nii.gz A; line scans/again/case1.nii.gz A; line scans/again/case1.nii.gz B; } >"$work/c.jsonl"
set -- --model "$work/tiny.safetensors" --dtype f32 --overlap 0 --quiet --compat
code=0
"$SAT3D_BINARY" segment --manifest "$work/c.jsonl" "$@" -o "$work/c" >"$work/table" 2>"$work/stderr" || code=$?
[ "$code" -eq 1 ] && grep -q '4 cases: 3 segmented, 0 finished before, 1 failed' "$work/table" || { cat "$work/table" "$work/stderr"; exit 1; }
grep -q 'would overwrite those of .*scans/case1.nii.gz: both are A/seg_case1' "$work/table" || { cat "$work/table"; exit 1; }
for pair in A:scans/case1 A:scans/case2 B:scans/again/case1; do
    "$SAT3D_BINARY" segment "$work/${pair#*:}.nii.gz" "$@" --modality ct -p liver -p 'left kidney' --dataset "${pair%%:*}" -o "$work/c1" >"$work/table"
done
cp "$work/c.jsonl" "$work/c1/"
[ -s "$work/c1/A/seg_case2/left kidney.nii.gz" ]
diff -r -x 'batch.*' "$work/c" "$work/c1"
code=0
"$SAT3D_BINARY" segment --manifest "$work/c.jsonl" "$@" --preview p.png -o "$work/refused" 2>"$work/stderr" || code=$?
[ "$code" -eq 2 ] && [ ! -e "$work/refused" ] && grep -q 'leave out --preview' "$work/stderr" || { cat "$work/stderr"; exit 1; }
