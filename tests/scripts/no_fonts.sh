# Pictures need no font: where the system has none, cairo's own letters do, and the layout still holds.
set -eu
program=${SAT3D_BUILD:-$PWD/build}/tests/test_segment_preview
[ -x "$program" ] || { echo "$program is not there; build first"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo '<?xml version="1.0"?><fontconfig></fontconfig>' >"$work/fonts.conf"
FONTCONFIG_FILE=$work/fonts.conf XDG_CACHE_HOME=$work "$program" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
