# What programs rely on that were linked against libsat3d.so.0: exported functions, sizes and places within structs, values of
# enums, the SONAME; compared with the list in tests/interface/abi.txt.
set -eu
case $(uname -sm) in "Linux x86_64") ;; *) echo "skipped: the list is that of Linux on x86-64"; exit 77 ;; esac
list=tests/interface/abi.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{
    printf '#include <sat3d.h>\n#include <stddef.h>\n#include <stdio.h>\nint main(void)\n{\n'
    awk '$1 ~ /^sat_/ {
             if (split($1, part, ".") == 2) printf "    printf(\"%s %%zu\\n\", offsetof(%s, %s));\n", $1, part[1], part[2]
             else printf "    printf(\"%s %%zu\\n\", sizeof(%s));\n", $1, $1
         }
         $1 == "=" {printf "    printf(\"= %s %%d\\n\", (int)%s);\n", $2, $2}' "$list"
    printf '    return 0;\n}\n'
} >"$work/abi.c"
"${CC:-cc}" -std=c17 -Wall -Werror -Iinclude "$work/abi.c" -o "$work/abi"
{
    "$work/abi"
    nm -D --defined-only "$SAT3D_BUILD/libsat3d.so" | awk 'NF >= 3 {print $NF}' | sed 's/@.*//' | grep '^sat_' | sort -u | sed 's/^/function /'
} >"$work/now"
grep -v '^#' "$list" >"$work/then"
failed=0
diff "$work/then" "$work/now" || { echo "the ABI is not that of $list (left: the list): see docs/interface.md before you change it"; failed=1; }
# every struct of the header that has a size is on the list
for name in $(sed -nE 's/^} (sat_[a-z_]+);$/\1/p' include/sat3d.h); do
    grep -qE "^($name |= SAT_)" "$list" || { echo "not in $list: $name"; failed=1; }
done
readelf -d "$SAT3D_BUILD/libsat3d.so" | grep -q 'SONAME.*\[libsat3d\.so\.0\]' || { echo "the SONAME is not libsat3d.so.0"; failed=1; }
exit $failed
