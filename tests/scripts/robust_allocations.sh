# Each allocation of segmenting, converting, checking and describing fails once, in turn. The program must then say that memory
# is short (exit code 4), or do without and give what it always gives; it must not crash, leave a file that is not whole,
# or (built with the address sanitizer) leak. tests/robust/failing_allocations.c makes them fail.
# Every few of them on each run of the tests; all of them, and all of Jansson's, with SAT3D_LONG=1.
set -eu
program=$SAT3D_BUILD/tests/sat3d_failing
[ -x "$program" ] || { echo "$program is not there"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OMP_WAIT_POLICY=passive LC_ALL=C.UTF-8 XDG_CACHE_HOME="$work/cache"
"$SAT3D_BINARY" demo "$work/demo" >/dev/null
model=$work/demo/tiny.safetensors
scan=tests/robust/small.nii.gz
problems=0

# A run that does not come to an end is a finding too.
program="timeout 30 $program"

segment() { $program segment $scan --model "$model" --modality mri -p liver --threads 1 -o "$1"; }
segment_json() { $program segment $scan --model "$model" --modality mri -p liver -p spleen --threads 1 --json --dtype f32 -o "$1"; }
everything() {
    $program segment $scan --model "$model" --modality mri -p liver -p spleen --threads 1 -o "$1" --label-map "$1/map.nii.gz" \
        --statistics "$1/s.csv" --preview "$1/p.png" --probabilities --largest-component
}
plan() { $program segment $scan --model "$model" --modality mri -p liver --threads 1 --max-memory 2G --dry-run --json; }
check() { $program check $scan --modality mri --json --threads 1; }
info() { $program info "$model" --json; }
convert() {
    $program convert --model tests/golden/tiny/tiny.pth --text tests/golden/text/tiny_text.pth --query-heads 4 \
        --vocab tests/golden/vocab/mpnet-tiny.txt --window 64x64x32 --threads 1 -o "$1/model.safetensors"
}

complain() { # what, command, number
    echo "$2: $1 when allocation $3 fails (SAT3D_FAIL_AT=$3, SAT3D_FAIL_JANSSON=${SAT3D_FAIL_JANSSON-0}):"
    sed 's/^/    /' "$work/stderr" | tail -n 12
    problems=$((problems + 1))
}

# Everything that lies in a folder must be as it is when nothing fails.
all_whole() { # folder
    for file in "$1"/* "$1"/.[!.]*; do
        [ -e "$file" ] || continue
        cmp -s "$file" "$work/right/$(basename "$file")" || { strange=$file; return 1; }
    done
}

# fail COMMAND STRIDE [CACHE]: with CACHE, prompts that an earlier run encoded are there to be read.
fail() {
    rm -rf "$work/right" "$XDG_CACHE_HOME"
    mkdir "$work/right"
    SAT3D_FAIL_COUNT=$work/count "$1" "$work/right" >"$work/right.stdout" 2>/dev/null
    if [ "${3-}" = cache ]; then
        cp -r "$XDG_CACHE_HOME" "$work/warm"
        SAT3D_FAIL_COUNT=$work/count "$1" "$work/right" >/dev/null 2>&1
    fi
    count=$(cat "$work/count")
    short=0 runs=0 n=1
    while [ "$n" -le "$count" ]; do
        rm -rf "$work/out" "$XDG_CACHE_HOME"
        mkdir "$work/out"
        if [ "${3-}" = cache ]; then cp -r "$work/warm" "$XDG_CACHE_HOME"; fi
        code=0
        SAT3D_FAIL_AT=$n "$1" "$work/out" >"$work/stdout" 2>"$work/stderr" || code=$?
        case $code in
        0)  # a plan's time is measured anew each time
            grep -v expected_seconds "$work/stdout" >"$work/compared" || :
            grep -v expected_seconds "$work/right.stdout" | cmp -s - "$work/compared" || complain "something else is printed" "$1" "$n"
            [ "$(ls "$work/out")" = "$(ls "$work/right")" ] || complain "results are missing" "$1" "$n" ;;
        4)  short=$((short + 1))
            grep -qi memory "$work/stderr" || complain "memory is not named as the reason" "$1" "$n"
            [ ! -s "$work/stdout" ] || complain "results are printed all the same" "$1" "$n" ;;
        *)  complain "exit code $code" "$1" "$n" ;;
        esac
        all_whole "$work/out" || complain "$(basename "$strange") is left, and is not whole," "$1" "$n"
        runs=$((runs + 1))
        n=$((n + $2))
    done
    rm -rf "$work/warm"
    echo "$1${3+ with encoded prompts}${SAT3D_FAIL_JANSSON:+ (Jansson)}: $count allocations, $runs made to fail, $short times short of memory"
    [ "$short" -gt 0 ] || { echo "no failure was noticed at all"; problems=$((problems + 1)); }
}

if [ "${SAT3D_LONG-}" ]; then some=1 few=1; else some=7 few=97; fi
fail segment "$some"
fail segment_json $((some * 2)) cache
fail everything $((some * 3))
fail plan $((some * 3))
fail check 1
fail info $((some * 3))
fail convert "$few"
export SAT3D_FAIL_JANSSON=1
fail segment_json $((few * 2 - 1)) cache
fail everything $((few * 4 - 1))
fail plan $((few * 2 - 1))
fail check 1
fail info $((few * 2 - 1))
fail convert $((few * 2 - 1))
[ "$problems" -eq 0 ] || { echo "$problems problems"; exit 1; }
