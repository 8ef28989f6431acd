#!/usr/bin/env bash
# Copy what every package has below /usr to a folder: programs, completions, manual pages, pocket, documents, licences.
# Usage: fill-tree.sh ARCHITECTURE FOLDER      in PLACE/host, whose gzip packs the same everywhere
set -euo pipefail
cd "$(dirname "$0")/.."
arch=$1 folder=$2
made=.build-packages
umask 022

put() { install -D -m 644 "$1" "$folder/$2"; }              # put FILE PATH
put_compressed() { mkdir -p "$(dirname "$folder/$2")"; gzip -9n <"$1" >"$folder/$2"; }

for program in vl2 vl2-convert; do
  install -D -m 755 "$made/$arch/$program" "$folder/bin/$program"
  put "$made/share/completions/$program.bash" "share/bash-completion/completions/$program"
  put "$made/share/completions/$program.zsh" "share/zsh/vendor-completions/_$program"
  put "$made/share/completions/$program.fish" "share/fish/vendor_completions.d/$program.fish"
done
for page in "$made"/share/man/*.1; do put_compressed "$page" "share/man/man1/$(basename "$page").gz"; done
for file in pocket.vl2q demo.png; do put "$made/share/pocket/$file" "share/vl2/pocket/$file"; done

for page in INSTALLING SERVING INTEGRATIONS WATCHING KIOSK BATCH DEPLOY DESCRIBING CONVERTING MODELS GROUNDING SCHEMA; do
  put "docs/$page.md" "share/doc/vl2/$page.md"
done
for file in Examples/{nginx,monitoring,kiosk,spoken,home-assistant}/*; do put "$file" "share/doc/vl2/examples/${file#Examples/}"; done
for file in deploy/parts.sh deploy/*/*; do put "$file" "share/doc/vl2/examples/$file"; done
chmod 755 "$folder"/share/doc/vl2/examples/deploy/{,*/}*.sh
put_compressed CHANGELOG.md share/doc/vl2/CHANGELOG.md.gz
put packaging/debian/copyright share/doc/vl2/copyright
put_compressed /usr/share/doc/swiftlang/copyright share/doc/vl2/swift-copyright.gz
