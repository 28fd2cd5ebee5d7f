# Every function that docs/architecture.md names exists in src/; every file and folder, too.
set -eu
failed=0
names=$(grep -oE '\b[a-z][a-z0-9_]*\(\)' docs/architecture.md | tr -d '()' | sort -u)
[ -n "$names" ] || { echo "docs/architecture.md names no function"; exit 1; }
for name in $names; do
    grep -rqE --include='*.[ch]' "(^|[^A-Za-z0-9_])$name\(" src include || { echo "docs/architecture.md names $name(), which is not in src/"; failed=1; }
done
# A path stands for itself or, as ctest names them, for a test: scripts/floors is tests/scripts/floors.sh.
for path in $(grep -ohE '\b(src|docs|scripts|tests|include|bench)/[A-Za-z0-9_./-]*[A-Za-z0-9_]' docs/architecture.md README.md CONTRIBUTING.md | sort -u); do
    [ "$path" = src/knowledge ] || [ -e "$path" ] || [ -e "tests/$path.sh" ] ||
        { echo "a document names $path, which is not there"; failed=1; }
done
exit $failed
