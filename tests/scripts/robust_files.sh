# Files and folders as they should not be, through the program: one clear message, the right exit code, nothing under a final
# name that is not whole, and quickly.
set -eu
work=$(mktemp -d)
mounted=no
trap 'if [ $mounted = yes ]; then umount "$work/small"; fi; rm -rf "$work"' EXIT
export OMP_WAIT_POLICY=passive LC_ALL=C.UTF-8 XDG_CACHE_HOME="$work/cache"
sat3d=$SAT3D_BINARY
"$sat3d" demo "$work/demo" >/dev/null
model=$work/demo/tiny.safetensors
scan=tests/robust/small.nii.gz
problems=0

report() { # sentence
    echo "$1"
    sed 's/^/    /' "$work/stderr" | head -n 12
    problems=$((problems + 1))
}

# expect NAME CODE WORDS COMMAND...: the exit code, and one line on standard error that has the words (a pattern of grep -E).
expect() {
    what=$1 wanted=$2 words=$3
    shift 3
    code=0
    timeout 60 "$@" >"$work/stdout" 2>"$work/stderr" </dev/null || code=$?
    [ "$code" -eq "$wanted" ] || report "$what: exit code $code, not $wanted"
    if [ "$wanted" -ne 0 ]; then
        grep -Eq "$words" "$work/stderr" || report "$what: nothing says '$words'"
        [ "$(wc -l <"$work/stderr")" -eq 1 ] || report "$what: not one line"
    fi
}

segment() { # SCAN FOLDER [OPTIONS], as expect's command
    from=$1 to=$2
    shift 2
    set -- "$sat3d" segment "$from" --model "$model" --modality mri -p liver --threads 1 -o "$to" "$@"
    "$@"
}
run() { expect "$1" "$2" "$3" sh -c 'scan=$1 folder=$2; shift 2; exec "$SAT3D_BINARY" segment "$scan" --model "$0" --modality mri -p liver --threads 1 -o "$folder" "$@"' "$model" "$4" "$5"; }

nothing_in() { # NAME FOLDER
    [ -d "$2" ] || return 0
    left=$(find "$2" -mindepth 1)
    [ -z "$left" ] || report "$1: left behind: $left"
}

segment $scan "$work/right" >/dev/null
same() { # NAME FOLDER: it holds what a run gives when all is well (but for the scan's name in the side-car)
    cmp -s "$work/right/liver.nii.gz" "$2/liver.nii.gz" || report "$1: another mask"
    [ -s "$2/segmentation.json" ] || report "$1: no side-car"
    [ "$(ls -A "$2")" = "$(ls -A "$work/right")" ] || report "$1: other files: $(ls -A "$2")"
}

# ---------------------------------------------------------------- scans that are none
size=$(wc -c <$scan)
for bytes in 0 1 10 200 $((size / 2)) $((size - 9)) $((size - 1)); do
    head -c "$bytes" $scan >"$work/cut.nii.gz"
    run "cut to $bytes bytes" 3 "cut.nii.gz: ." "$work/cut.nii.gz" "$work/out"
    nothing_in "cut to $bytes bytes" "$work/out"
done
gzip -dc $scan >"$work/plain.nii"
head -c 5000 "$work/plain.nii" >"$work/short.nii"
run "voxels missing" 3 "short.nii: .*(promise|cut off)" "$work/short.nii" "$work/out"
# patch NAME OFFSET BYTES (octal escapes)
patch() {
    cp "$work/plain.nii" "$work/$1.nii"
    printf "$3" | dd of="$work/$1.nii" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
patch absurd 42 '\377\177\377\177\377\177'
run "32767 voxels each way" 3 "absurd.nii: ." "$work/absurd.nii" "$work/out"
gzip -c "$work/absurd.nii" >"$work/absurd.nii.gz"
run "32767 voxels each way, compressed" 3 "absurd.nii.gz: ." "$work/absurd.nii.gz" "$work/out"
patch negative 42 '\377\377'
run "-1 voxels" 3 "negative.nii: ." "$work/negative.nii" "$work/out"
patch none 42 '\000\000'
run "no voxels" 3 "none.nii: ." "$work/none.nii" "$work/out"
patch type 70 '\001\000\001\000'
run "one bit a voxel" 3 "type.nii: ." "$work/type.nii" "$work/out"
patch nan 80 '\000\000\300\177\000\000\300\177\000\000\300\177'
code=0
segment "$work/nan.nii" "$work/nan" >/dev/null 2>"$work/stderr" || code=$?
case $code in 0 | 3) ;; *) report "spacing that is no number: exit code $code" ;; esac
head -c 6000 /dev/urandom >"$work/noise.nii"
run "noise" 3 "noise.nii: ." "$work/noise.nii" "$work/out"
printf 'x' >"$work/line
feed.nii"
run "a damaged scan with a line feed in its name" 3 "line.feed.nii: ." "$work/line
feed.nii" "$work/out"
run "no such scan" 3 "nowhere.nii: .*No such file" "$work/nowhere.nii" "$work/out"
expect "a FIFO as the scan" 3 "not a file" "$sat3d" check "$(mkfifo "$work/fifo.nii" && echo "$work/fifo.nii")" --modality mri
run "/dev/zero as the scan" 3 "/dev/zero: .*not a file" /dev/zero "$work/out"
mkdir "$work/empty"
expect "an empty folder as the scan" 3 "empty: ." "$sat3d" check "$work/empty" --modality mri
run "a path in a file" 3 "Not a directory" "$work/plain.nii/scan.nii" "$work/out"
run "a model as the scan" 3 "tiny.safetensors: ." "$model" "$work/out"
expect "a scan as the model" 3 "small.nii.gz: ." "$sat3d" segment $scan --model $scan --modality mri -p liver -o "$work/out"
head -c 100000 "$model" >"$work/half.safetensors"
expect "half a model" 3 "half.safetensors: ." "$sat3d" segment $scan --model "$work/half.safetensors" --modality mri -p liver -o "$work/out"
expect "no such model" 3 "none.safetensors: .*No such file" "$sat3d" info "$work/none.safetensors"
expect "a folder as the model" 3 "folder, not a file" "$sat3d" info "$work"
expect "a device as the model" 3 "not a file" "$sat3d" info /dev/zero
nothing_in "refused scans" "$work/out"

# ---------------------------------------------------------------- folders that can't be written
run "a folder below a file" 3 "plain.nii/out: .*Not a directory" $scan "$work/plain.nii/out"
run "a file as the folder" 3 "Not a directory" $scan "$work/plain.nii"
run "a folder in /proc" 3 "/proc/.*: ." $scan /proc/nowhere
mkdir -p "$work/taken/liver.nii.gz/something"
run "a folder in the mask's place" 3 "liver.nii.gz: .*Is a directory" $scan "$work/taken"
[ "$(find "$work/taken" -mindepth 1 | wc -l)" -eq 2 ] || report "a folder in the mask's place: $(find "$work/taken")"
if [ "$(id -u)" -ne 0 ]; then
    mkdir "$work/closed"
    chmod 555 "$work/closed"
    run "a read-only folder" 3 "Permission denied" $scan "$work/closed"
    nothing_in "a read-only folder" "$work/closed"
fi

# ---------------------------------------------------------------- disks that are full
expect "results into a full disk" 4 "standard output: .*No space left" sh -c '"$0" info "$1" >/dev/full' "$sat3d" "$model"
expect "help into a full disk" 4 "standard output: .*No space left" sh -c '"$0" segment --help >/dev/full' "$sat3d"
expect "the version into a full disk" 4 "standard output: .*No space left" sh -c '"$0" --version >/dev/full' "$sat3d"
mkdir "$work/limited"
# ulimit -f counts 512 bytes. The first limit lets no mask through, the second no model.
expect "a limit of file sizes" 4 "liver.nii.gz: .*File too large" sh -c 'ulimit -f 8; exec "$SAT3D_BINARY" segment "$1" --model "$0" --modality ct -p liver --threads 1 -o "$2"' "$model" "$work/demo/phantom.nii.gz" "$work/limited"
nothing_in "a limit of file sizes" "$work/limited"
expect "a limit of file sizes, converting" 4 "m.safetensors: .*File too large" sh -c 'ulimit -f 1000; exec "$SAT3D_BINARY" convert --model tests/golden/tiny/tiny.pth --query-heads 4 --window 64x64x32 -q -o "$0"' "$work/limited/m.safetensors"
nothing_in "a limit of file sizes, converting" "$work/limited"
mkdir "$work/small"
if mount -t tmpfs -o size=64k,nr_inodes=20 none "$work/small" 2>/dev/null; then
    mounted=yes
    echo keep >"$work/small/liver.nii.gz" # what was there before stays when the new one does not fit
    head -c 60000 /dev/zero >"$work/small/filler"
    run "a full disk" 4 "No space left" $scan "$work/small"
    [ "$(cat "$work/small/liver.nii.gz")" = keep ] || report "a full disk: the mask of an earlier run was lost"
    [ "$(ls -A "$work/small" | wc -l)" -eq 2 ] || report "a full disk: left behind: $(ls -A "$work/small")"
    rm "$work/small/filler" "$work/small/liver.nii.gz"
    run "room again" 0 "" $scan "$work/small"
    same "room again" "$work/small"
else
    echo "SKIPPED: a full disk (mounting is not allowed here; limits of file sizes were tried)"
fi

# ---------------------------------------------------------------- names
newline='a
b'
long=$(printf '%0240d' 7)
for name in "with space" "größe 肝臓" "$newline" "-o" "a%sb%n" "$long" 'q"u\o$te`s'; do
    mkdir -p "$work/names/$name"
    cp $scan "$work/names/$name/$name.nii.gz" 2>/dev/null || cp $scan "$work/names/$name/x.nii.gz"
    file=$(ls "$work/names/$name" | head -n 1)
    case $name in "$newline") file=$name.nii.gz ;; esac
    run "the name $name" 0 "" "$work/names/$name/$file" "$work/names/$name/masks"
    same "the name $name" "$work/names/$name/masks"
done
# Bytes that are no UTF-8: the side-car must be JSON all the same.
bad=$(printf 'bad\377name')
cp $scan "$work/$bad.nii.gz"
run "a name that is not UTF-8" 0 "" "$work/$bad.nii.gz" "$work/bad"
same "a name that is not UTF-8" "$work/bad"
grep -q '"file": "bad?name.nii.gz"' "$work/bad/segmentation.json" || report "a name that is not UTF-8 is missing in the side-car"
deep=$work
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do deep=$deep/$long; done
(cd "$work" && for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do mkdir "$long" && cd "$long"; done)
run "a path of 3600 bytes" 0 "" $scan "$deep"
same "a path of 3600 bytes" "$deep"
run "a path beyond what the system allows" 3 "File name too long" $scan "$deep/$long/$long/$long"
run "a scan's path beyond what the system allows" 3 "File name too long" "$deep/$long/$long/$long" "$work/out"
printf 'liver\n%0300d\n' 7 >"$work/prompts.txt"
expect "a prompt as long as a file name may not be" 0 "" "$sat3d" segment $scan --model "$model" --modality mri --prompts "$work/prompts.txt" --threads 1 -o "$work/prompt"

# ---------------------------------------------------------------- two at once
for i in 1 2 3; do
    segment $scan "$work/both" >/dev/null 2>"$work/stderr2" &
    second=$!
    segment $scan "$work/both" >/dev/null 2>"$work/stderr" || report "two runs into one folder: the first fails"
    wait $second || { cat "$work/stderr2"; report "two runs into one folder: the second fails"; }
    same "two runs into one folder" "$work/both"
done
[ "$problems" -eq 0 ] || { echo "$problems problems"; exit 1; }
