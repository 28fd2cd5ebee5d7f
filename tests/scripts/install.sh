# `make install` puts everything in place, and a program of ten lines builds against it by pkg-config.
set -eu
cc=${CC:-cc}
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cmake --install "$SAT3D_BUILD" --prefix "$place" >"$place/log" || { cat "$place/log"; exit 1; }

failed=0
for wanted in bin/sat3d include/sat3d.h lib/libsat3d.a lib/libsat3d.so lib/libsat3d.so.0 lib/pkgconfig/sat3d.pc \
    share/man/man1/sat3d.1 share/bash-completion/completions/sat3d share/zsh/site-functions/_sat3d; do
    # lib may be lib64 or lib/<architecture>
    found=$(find "$place" -path "*/$wanted" -o -path "*/$(dirname "$wanted" | sed 's|^lib|lib*|')/$(basename "$wanted")" | head -n 1)
    [ -n "$found" ] || { echo "not installed: $wanted"; failed=1; }
done
[ "$failed" -eq 0 ] || exit 1
for page in man/*.1; do
    [ -f "$place/share/man/man1/$(basename "$page")" ] || { echo "not installed: $page"; exit 1; }
done

cat >"$place/program.c" <<'EOF'
#include <sat3d.h>
#include <stdio.h>

int main(void)
{
    sat_error error = {0};
    printf("%s %d %d\n", sat_version(), sat_exit_code(SAT_CANCELLED), error.message[0]);
    return 0;
}
EOF
export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$place" -name sat3d.pc)")
libdir=$(pkg-config --variable=libdir sat3d)
version=$(pkg-config --modversion sat3d)
sanitize=
if nm "$SAT3D_BUILD/libsat3d.a" 2>/dev/null | grep -q __asan_init; then sanitize=-fsanitize=address,undefined; fi

# shellcheck disable=SC2046,SC2086 # flags are words
$cc -std=c17 -Wall -Werror $sanitize "$place/program.c" $(pkg-config --cflags --libs sat3d) -o "$place/shared"
# shellcheck disable=SC2046,SC2086
$cc -std=c17 -Wall -Werror $sanitize "$place/program.c" $(pkg-config --cflags sat3d) "$libdir/libsat3d.a" \
    $(pkg-config --libs-only-l --libs-only-other --static sat3d | sed 's/-lsat3d//') -o "$place/static"
for kind in shared static; do
    said=$(LD_LIBRARY_PATH="$libdir" "$place/$kind")
    [ "$said" = "$version 130 0" ] || { echo "the $kind program says: $said"; exit 1; }
done
said=$("$place/bin/sat3d" --version)
[ "$said" = "sat3d $version" ] || { echo "the installed sat3d says: $said"; exit 1; }
