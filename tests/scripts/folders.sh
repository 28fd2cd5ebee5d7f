# Every folder of src/ says what it is; no file of the repository names a place on somebody's machine.
set -eu
failed=0
for folder in src/*/ tests bench scripts; do
    [ -f "${folder%/}/README.md" ] || { echo "${folder%/}/README.md is missing: what lives here, what may not, where to start"; failed=1; }
done
files=$(git ls-files 2>/dev/null || true)
[ -n "$files" ] || files=$(find . -type f ! -path './.git/*' ! -path './build*' | sed 's|^\./||')
# shellcheck disable=SC2086 # our file names have no spaces
if grep -nIE '(^|[^A-Za-z0-9_.~-])/(home|root|work|Users|mnt)/[A-Za-z0-9]' $files /dev/null | grep -vE '^tests/scripts/folders.sh:|/home/somebody'; then
    echo "absolute paths of one machine do not belong into the repository"
    failed=1
fi
exit $failed
