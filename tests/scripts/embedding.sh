# The examples as a user has them: compiled against the installed library, run on a drawn scan with the tiny model. The program
# and the library must write the same masks; the Python one must agree with both.
set -eu
cc=${CC:-cc}
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cmake --install "$SAT3D_BUILD" --prefix "$place/prefix" >"$place/log" || { cat "$place/log"; exit 1; }
PKG_CONFIG_PATH=$(dirname "$(find "$place/prefix" -name sat3d.pc)")
export PKG_CONFIG_PATH
libdir=$(pkg-config --variable=libdir sat3d)
sanitize=
for kind in asan:address,undefined tsan:thread; do
    if nm "$SAT3D_BUILD/libsat3d.a" 2>/dev/null | grep -q "__${kind%%:*}_init"; then sanitize=-fsanitize=${kind#*:}; fi
done
for program in segment_file segment_memory; do
    # shellcheck disable=SC2046,SC2086 # flags are words
    $cc -std=c17 -Wall -Wextra -Wpedantic -Werror $sanitize "examples/$program.c" $(pkg-config --cflags --libs sat3d) -o "$place/$program"
done
cxx=$(command -v g++ || command -v clang++ || true)
if [ -n "$cxx" ]; then # as C++, the linkage of all that segment_file uses; C11 designators are no C++17, so not segment_memory
    # shellcheck disable=SC2046,SC2086
    "$cxx" -std=c++17 -Wall -Wextra -Werror $sanitize -x c++ examples/segment_file.c -x none $(pkg-config --cflags --libs sat3d) \
        -o "$place/segment_file_cxx"
else
    echo "SKIPPED: no C++ compiler for the example as C++17"
fi

export LD_LIBRARY_PATH="$libdir" OMP_WAIT_POLICY=passive
"$place/prefix/bin/sat3d" demo "$place/demo" >"$place/log" 2>&1 || { cat "$place/log"; exit 1; }
scan=$place/demo/phantom.nii.gz
model=$(ls "$place"/demo/*.safetensors)
"$place/prefix/bin/sat3d" segment "$scan" --model "$model" --modality ct -p liver -p "left kidney" -o "$place/program" \
    --no-query-cache --quiet >"$place/log" || { cat "$place/log"; exit 1; }
"$place/segment_file" "$model" "$scan" ct "$place/library" liver "left kidney" >"$place/table" 2>"$place/log" || { cat "$place/log"; exit 1; }
[ "$(grep -c ' ml' "$place/table")" -eq 2 ] || { echo "segment_file says:"; cat "$place/table"; exit 1; }
for file in liver.nii.gz left_kidney.nii.gz segmentation.json; do
    cmp "$place/program/$file" "$place/library/$file" || { echo "the program and the library differ in $file"; exit 1; }
done
said=$("$place/segment_memory" "$model" liver)
echo "$said" | grep -qE '^liver: [0-9]+ of 288000 voxels$' || { echo "segment_memory says: $said"; exit 1; }
[ -z "$cxx" ] || "$place/segment_file_cxx" "$model" "$scan" ct "$place/cxx" liver >/dev/null 2>&1 || { echo "segment_file as C++ fails"; exit 1; }
if "$place/segment_file" "$scan" "$scan" ct "$place/none" liver >/dev/null 2>"$place/log"; then echo "a scan was taken for a model"; exit 1; fi
grep -q 'phantom.nii.gz' "$place/log" || { echo "the message names no file:"; cat "$place/log"; exit 1; }

python=
for candidate in python3 /usr/bin/python3; do
    [ -n "$python" ] || ! "$candidate" -c 'import numpy' 2>/dev/null || python=$candidate
done
if [ -z "$python" ]; then echo "SKIPPED: the Python example, there is no python3 with numpy"; exit 0; fi
if [ -n "$sanitize" ]; then echo "SKIPPED: the Python example, under sanitizers"; exit 0; fi
cat >"$place/try.py" <<'END'
import sys
import numpy as np
sys.path.insert(0, "examples/python")
import sat3d_ctypes as sat3d
k, j, i = np.mgrid[:40, :80, :90]
x, y, z = i - 45, j - 40, 3 * (k - 20)
scan = np.where(x * x + y * y + z * z < 900, 40, -1000).astype(np.int16).transpose(2, 1, 0)
affine = np.array([[1, 0, 0, -45], [0, 1, 0, -40], [0, 0, 3, -60], [0, 0, 0, 1]])
with sat3d.Model(sys.argv[1]) as model:
    masks = model.segment(scan, affine, ["liver", "spleen"], "ct")
    assert masks.shape == (2, 90, 80, 40) and masks.dtype == bool
    assert (model.segment(np.ascontiguousarray(scan), affine, ["liver"], "ct")[0] == masks[0]).all()
    try:
        model.segment(scan, np.zeros((4, 4)), ["liver"], "ct")
        raise SystemExit("an affine of zeros was taken")
    except RuntimeError as error:
        assert "voxel_to_world_mm" in str(error), error
print(f"liver: {masks[0].sum()} of 288000 voxels")
END
found=$(SAT3D_LIBRARY="$libdir/libsat3d.so.0" "$python" -B "$place/try.py" "$model")
[ "$found" = "$said" ] || { echo "Python says: $found, C says: $said"; exit 1; }
