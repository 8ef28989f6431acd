#!/usr/bin/env bash
# Make what the emulated machine mounts: the package, what it depends on as a repository for apt, the steps, and what this
# machine answers, for the other to be held against.
# Usage: payload.sh VL2.deb MACHINE SUITE KERNEL PLACE BUILD FOLDER
#   MACHINE   from setup.sh; KERNEL and PLACE as for setup.sh; BUILD has this machine's own vl2 and vl2-convert
#   FOLDER    is made; scripts/board/test.py adds which steps are to run and makes a disk of it
set -euo pipefail
cd "$(dirname "$0")/../.."

deb=$(realpath "$1") machine=$2 suite=$3 kernel=$4 place=$(cd "$5" && pwd) build=$6 folder=$7
pocket=models/pocket
tests=Tests/BoardTests

mkdir -p "$folder"/{packages,requests,expected}
cp -r "$tests"/{run.sh,expect.sh,files.sh,cameras.sh,answers.sh,sections.sh,serve.env,steps,webcam.py,control.py} "$folder/"
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

# What stands before the virtual camera: the bundled picture, and the same with other colors; each with seven kinds of noise,
# since frames of a camera are never the same. (A slow machine that takes every fourth frame still sees other ones.) The answer is
# the host's, whichever of them is asked about.
cp -r "$machine/$kernel/cameras" "$folder/cameras"
mkdir "$folder/seen"
scene() {                                   # scene NAME HUE
  local size number picture
  for size in 320x240 640x480; do
    mkdir -p "$folder/frames/$size/$1"
    for number in 0 1 2 3 4 5 6; do
      picture=$folder/frames/$size/$1/$number
      look="scale=${size/x/:}:flags=bicubic,hue=h=$2,noise=alls=3:all_seed=$number"
      from=(-nostdin -loglevel error -i "$pocket/demo.png" -vf "$look" -frames:v 1)
      ffmpeg "${from[@]}" -c:v mjpeg -pix_fmt yuvj422p -q:v 2 "$picture.jpg"
      ffmpeg "${from[@]}" -f rawvideo -pix_fmt yuyv422 "$picture.yuyv"
    done
    "$build/vl2" ask --each --max-tiles 1 --model "$work/usr/share/vl2/pocket/pocket.vl2q" "$folder/frames/$size/$1/"*.jpg \
      "What colour is the star?" >"$work/answers" 2>"$work/scene.log" || { cat "$work/scene.log" >&2; exit 1; }
    sed 's/^[^:]*: //' "$work/answers" | sort -u >"$work/answer"
    [ -e "$folder/seen/$1.txt" ] || cp "$work/answer" "$folder/seen/$1.txt"
    if [ "$(wc -l <"$work/answer")" -ne 1 ] || ! cmp -s "$work/answer" "$folder/seen/$1.txt"; then
      echo "payload: the model's answers differ about pictures of scene '$1':" >&2
      cat "$work/answers" >&2
      exit 1
    fi
  done
}
scene plain 0
scene shifted 120
if cmp -s "$folder/seen/plain.txt" "$folder/seen/shifted.txt"; then
  echo "payload: the model gives the same answer for both scenes of the camera" >&2
  exit 1
fi

# The virtual camera is a Python program; its interpreter is unpacked here, so that nothing of it is installed there.
python=$(APT_CONFIG=$place/apt/$suite/apt.conf apt-cache depends python3-minimal |
  sed -nE 's/^ *(Pre)?Depends: (python3\.[0-9]*)-minimal$/\2/p')
[ -n "$python" ] || { echo "payload: python3-minimal of $suite depends on no python3.N-minimal" >&2; exit 1; }
(cd "$work" && APT_CONFIG=$place/apt/$suite/apt.conf apt-get download -qq -oAPT::Sandbox::User=root \
  "$python-minimal" "lib$python-minimal" "lib$python-stdlib")
for package in "$work/$python"-minimal_*.deb "$work/lib$python"-*.deb; do dpkg-deb -x "$package" "$folder/python"; done
ln -s "$python" "$folder/python/usr/bin/python3"
