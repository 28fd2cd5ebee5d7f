# man/ and man/completion/ are what the option tables say now, and roff, bash and zsh accept them.
set -eu
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
"$SAT3D_BINARY" generate "$fresh"
diff -ru man "$fresh" || { echo "man/ is behind the option tables; run: sh scripts/man"; exit 1; }
if command -v groff >/dev/null; then
    for page in man/*.1; do
        said=$(groff -man -Tutf8 -ww "$page" 2>&1 >/dev/null || true)
        [ -z "$said" ] || { echo "$page: $said"; exit 1; }
    done
fi
if command -v bash >/dev/null; then
    said=$(bash -c '. man/completion/sat3d.bash; COMP_WORDS=(sat3d --ver); COMP_CWORD=1; _sat3d; echo "${COMPREPLY[*]}"')
    [ "$said" = --version ] || { echo "bash completes --ver to: $said"; exit 1; }
fi
if command -v zsh >/dev/null; then zsh -n man/completion/_sat3d; fi
# Every verb that --help lists has its page, and every page its verb.
for page in man/sat3d-*.1; do
    [ -f "$page" ] || continue
    name=$(basename "$page" .1)
    "$SAT3D_BINARY" --help | grep -q "^  ${name#sat3d-} " || { echo "$page has no verb in sat3d --help"; exit 1; }
done
