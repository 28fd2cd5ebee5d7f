# A run that is killed at any moment leaves nothing under a final name that is not whole, and the next run into the same folder
# does its work as if there had been none. Moments are drawn; SAT3D_LONG=1 draws more of them.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OMP_WAIT_POLICY=passive LC_ALL=C.UTF-8 XDG_CACHE_HOME="$work/cache"
"$SAT3D_BINARY" demo "$work/demo" >/dev/null
model=$work/demo/tiny.safetensors
scan=$work/demo/phantom.nii.gz # some windows, so that there is something to interrupt

segment() {
    exec "$SAT3D_BINARY" segment "$scan" --model "$model" --modality ct -p liver -p spleen -p "left kidney" --overlap 0 \
        --threads 1 -o "$1"
}
(segment "$work/right") >/dev/null # also encodes the prompts
begin=$(date +%s%N)
(segment "$work/right") >/dev/null
milliseconds=$((($(date +%s%N) - begin) / 1000000))

whole() { # FOLDER, moment
    for file in "$1"/* "$1"/.[!.]*; do
        [ -e "$file" ] || continue
        case $file in
        */.*.part) parts=$((parts + 1)) ;; # allowed where files can't be without a name
        *) cmp -s "$file" "$work/right/$(basename "$file")" || { echo "killed after $2 ms: $file is not whole"; exit 1; } ;;
        esac
    done
}

# kill -9 at moments over the whole run; each into a folder of its own, then one after the other into the same.
moments=${SAT3D_LONG:+100}
killed=0 parts=0 done=0 seed=$$ n=0
while [ "$n" -lt "${moments:-20}" ]; do
    n=$((n + 1))
    seed=$(((seed * 1103515245 + 12345) % 2147483648))
    moment=$((seed / 65536 % (milliseconds + milliseconds / 8 + 1)))
    if [ $((n % 2)) -eq 0 ]; then folder=$work/killed; else folder=$work/killed$n; fi
    (segment "$folder") >/dev/null 2>&1 &
    child=$!
    sleep "$(printf '%d.%03d' $((moment / 1000)) $((moment % 1000)))"
    if kill -9 $child 2>/dev/null; then killed=$((killed + 1)); fi
    code=0
    wait $child 2>/dev/null || code=$?
    [ "$code" -ne 0 ] || done=$((done + 1))
    whole "$folder" "$moment"
done
(segment "$work/killed") >/dev/null 2>"$work/stderr" || { echo "the run after killed ones fails:"; cat "$work/stderr"; exit 1; }
whole "$work/killed" end
for file in "$work"/right/*; do cmp "$file" "$work/killed/$(basename "$file")"; done
# What is left of a killed run elsewhere is not looked at: a next run works, and leaves it alone.
mkdir "$work/leftover"
printf half >"$work/leftover/.liver.nii.gz.AbCdEf.part"
(segment "$work/leftover") >/dev/null
for file in "$work"/right/*; do cmp "$file" "$work/leftover/$(basename "$file")"; done

# SIGINT and SIGTERM: 130, one line, and what was not finished is not there. (A shell starts children in the background deaf to
# SIGINT, and a program leaves that as it is: so timeout sends it, from the foreground.)
for signal in INT TERM; do
    for share in 1 3 6; do
        code=0
        seconds=$((milliseconds * share / 8))
        timeout --preserve-status -s $signal "$(printf '%d.%03d' $((seconds / 1000)) $((seconds % 1000)))" \
            "$SAT3D_BINARY" segment "$scan" --model "$model" --modality ct -p liver -p spleen -p "left kidney" --overlap 0 \
            --threads 1 -o "$work/$signal$share" >"$work/stdout" 2>"$work/stderr" || code=$?
        whole "$work/$signal$share" "$seconds ms, SIG$signal"
        case $code in
        0) ;; # was faster than the signal
        130)
            # Before the handler is there, and after the work is done, SIGINT ends the program the system's way, without a line.
            if [ ! -s "$work/stderr" ] && { [ ! -e "$work/$signal$share" ] || [ -e "$work/$signal$share/segmentation.json" ]; }; then continue; fi
            [ "$(wc -l <"$work/stderr")" -eq 1 ] && grep -q interrupted "$work/stderr" || { cat "$work/stderr"; echo "SIG$signal: not one clear line"; exit 1; }
            [ ! -s "$work/stdout" ] || { echo "SIG$signal: results were printed"; exit 1; } ;;
        143) ;; # before the handler is there: the system's way, gone at once
        *) echo "SIG$signal after $seconds ms: exit code $code"; cat "$work/stderr"; exit 1 ;;
        esac
    done
done
echo "a run takes $milliseconds ms; $killed of $n killed, $done were faster; $parts files with temporary names were left"
