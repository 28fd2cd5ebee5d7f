# Functions that write past ends, hide errors or keep hidden state have no place in src/; printing and exiting
# belong to src/cli. Use snprintf or base/text.h, strtoll, strtok_r; return a sat_status.
set -eu
unsafe='sprintf|vsprintf|strcpy|strcat|gets|atoi|atol|atof|strtok|mktemp|tmpnam'
for_the_program='printf|vprintf|puts|putchar|perror|exit|_exit|quick_exit'
calls() { # NAMES FOLDERS...: lines that call one of them
    names=$1
    shift
    grep -rnE --include='*.[ch]' "(^|[^A-Za-z0-9_])($names)[[:space:]]*\(" "$@"
}

found=0
if calls "$unsafe" src; then found=1; fi
# shellcheck disable=SC2046 # a list of folders
if calls "$for_the_program" $(find src -mindepth 1 -maxdepth 1 -type d ! -name cli); then found=1; fi
if grep -rnE --include='*.[ch]' '\b(TODO|FIXME|XXX)\b' src include; then found=1; fi
[ "$found" -eq 0 ] || { echo "these are not used here; tests/scripts/banned.sh says what to use"; exit 1; }

# The check can fail, and takes snprintf and fgets for what they are.
bad=$(mktemp -d)
trap 'rm -rf "$bad"' EXIT
printf '%s\n' 'int n = atoi (s);' 'x=gets(s);' >"$bad/x.c"
[ "$(calls "$unsafe" "$bad" | wc -l)" -eq 2 ] || { echo "atoi and gets were let pass"; exit 1; }
printf '%s\n' 'snprintf(a, 1, "x"); fgets(l, 9, f); strtok_r(a, b, &c);' >"$bad/x.c"
if calls "$unsafe" "$bad"; then echo "these are allowed"; exit 1; fi
