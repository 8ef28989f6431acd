#!/usr/bin/env bash
# Make what the emulated machine mounts: the package, what it depends on as a repository for apt, the steps, and what this
# machine answers, for the other to be held against.
# Usage: payload.sh VL2.deb MACHINE SUITE PLACE BUILD FOLDER
#   MACHINE   from setup.sh; PLACE as for setup.sh; BUILD has this machine's own vl2 and vl2-convert
#   FOLDER    is made; scripts/board/test.py adds which steps are to run and makes a disk of it
set -euo pipefail
cd "$(dirname "$0")/../.."

deb=$(realpath "$1") machine=$2 suite=$3 place=$(cd "$4" && pwd) build=$5 folder=$6
pocket=models/pocket
tests=Tests/BoardTests

mkdir -p "$folder"/{packages,requests,expected}
cp -r "$tests"/{run.sh,expect.sh,files.sh,answers.sh,sections.sh,serve.env,steps} "$folder/"
cp "$deb" "$folder/vl2.deb"
cp -r "$pocket/eval/ci" "$folder/eval"
cp -r "$pocket/checkpoint" "$folder/checkpoint"

# The same package with a lower version, to upgrade from. It is not kept, so it need not be small.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dpkg-deb --raw-extract "$deb" "$work/lower"
sed -i 's/^Version: .*/Version: 0.0.0~lower/' "$work/lower/DEBIAN/control"
dpkg-deb --root-owner-group -Zgzip -z1 --build "$work/lower" "$folder/vl2-lower.deb" >/dev/null

# What apt would fetch on that machine for this package, as a repository in a folder: the tests need no network.
scripts/apt-root.sh "$place/apt/$suite" "$suite" arm64
archives=$machine/archives
mkdir -p "$archives/partial"
APT_CONFIG=$place/apt/$suite/apt.conf apt-get install -y -qq --download-only -oAPT::Install-Recommends=true \
  -oDir::State::status="$machine/status" -oDir::Cache::archives="$archives" -oAPT::Sandbox::User=root \
  "$deb" >"$work/apt.log" 2>&1 ||
  { cat "$work/apt.log" >&2; echo "payload: apt cannot install $deb on $suite; it says why above" >&2; exit 1; }
for package in "$archives"/*.deb; do
  cp "$package" "$folder/packages/"
  dpkg-deb --field "$package"
  printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$(basename "$package")" "$(stat -c %s "$package")" \
    "$(sha256sum <"$package" | cut -d ' ' -f 1)"
done >"$folder/packages/Packages"

# What this machine packs, and what it answers with the model that is in the package.
"$build/vl2-convert" pack "$folder/checkpoint" -o "$work/packed.vl2q" >/dev/null
"$folder/sections.sh" "$build/vl2-convert" "$work/packed.vl2q" >"$folder/sections"
dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$work" ./usr/share/vl2/pocket
"$folder/answers.sh" "$build/vl2" "$work/usr/share/vl2/pocket/pocket.vl2q" "$pocket/demo.png" "$folder/eval/items.jsonl" \
  "$folder/expected" 2>"$work/answers.log" || { cat "$work/answers.log" >&2; exit 1; }
cmp "$pocket/demo.png" "$work/usr/share/vl2/pocket/demo.png"

request() {                                 # request NAME QUESTION
  printf '{"model": "pocket", "max_tokens": 32, "messages": [{"role": "user", "content": [
    {"type": "text", "text": "%s"},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,%s"}}]}]}\n' "$2" "$(base64 -w0 "$pocket/demo.png")" \
    >"$folder/requests/$1.json"
}
request star "What colour is the star?"
request sign "What does the sign say?"
