# src/ keeps the floors, and the check can fail.
set -eu
sh scripts/check-floors || { echo "a folder includes only from itself and from floors below (docs/architecture.md)"; exit 1; }

bad=$(mktemp -d)
trap 'rm -rf "$bad"' EXIT
refused() { # FOLDER LINE: that line must be refused there
    mkdir -p "$bad/src/$1"
    echo "$2" >"$bad/src/$1/x.c"
    if (cd "$bad" && sh "$top/scripts/check-floors") >/dev/null; then
        echo "check-floors let pass in $1: $2"
        exit 1
    fi
    rm -r "$bad/src/$1"
}
top=$PWD
refused base '#include "image/volume.h"'
refused image '#include "tensor/element.h"'
refused tensor ' # include "image/volume.h"'
refused segment '#include "cli/options.h"'
refused base '#include "error.h"'
refused attic '#include "base/error.h"'
