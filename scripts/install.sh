#!/usr/bin/env bash
# Copy what `make build` and `make manual` made to a prefix: programs, shell completions, manual pages. Builds
# nothing, so that it may run under sudo. DESTDIR is put in front, for packagers.
# Usage: install.sh PREFIX
set -euo pipefail
cd "$(dirname "$0")/.."

root=${DESTDIR:-}${1:?Usage: install.sh PREFIX}
bin=.build/release
programs=(vl2 vl2-convert)

for program in "${programs[@]}"; do
  [ -x "$bin/$program" ] || { printf 'install: no %s; run make build first\n' "$bin/$program" >&2; exit 66; }
done

completion() {                              # completion PROGRAM SHELL FILE
  mkdir -p "$(dirname "$3")"
  "$bin/$1" --generate-completion-script "$2" >"$3"
}

for program in "${programs[@]}"; do
  install -D -m 755 "$bin/$program" "$root/bin/$program"
  completion "$program" bash "$root/share/bash-completion/completions/$program"
  completion "$program" zsh "$root/share/zsh/site-functions/_$program"
  completion "$program" fish "$root/share/fish/vendor_completions.d/$program.fish"
done

pages=0
for page in .build/manual/*.1; do
  [ -e "$page" ] || continue
  install -D -m 644 "$page" "$root/share/man/man1/$(basename "$page")"
  pages=$((pages + 1))
done
[ "$pages" -gt 0 ] || printf 'install: no manual pages; make manual makes them\n' >&2
printf 'installed %s and %d manual pages in %s\n' "${programs[*]}" "$pages" "$root"
