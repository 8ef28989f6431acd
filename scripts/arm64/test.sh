#!/usr/bin/env bash
# Show that vl2 is right on the processors of small arm64 boards, from an amd64 machine: cross-build with
# Debian 13's Swift 6.0.3, run every test under qemu as a Cortex-A76, those of what computes as a Cortex-A72 and as all
# that qemu knows (i8mm) too, and hold what the golden cases and the model that ships give there against what they give
# here: the same packed files, the same bits at every stage, the same answers.
# Usage: test.sh [test options...]      for example --filter REGEX; without any, everything
#   VL2_ARM64   where the cross-build place is made (about 5.5 GB); else ~/.cache/vl2/arm64
#   VL2_CPUS    the processors, else "cortex-a76 cortex-a72 max": every test runs on the first of them
set -euo pipefail
cd "$(dirname "$0")/../.."

say() { printf '\n== %s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

if [ "$(uname -m)" = aarch64 ]; then
  fail "This machine is arm64 itself: 'make test' runs the tests on its own processor"
fi
if [ "$(id -u)" -ne 0 ]; then
  fail "The arm64 tests need root: debootstrap makes a Debian to cross-build in, and chroot enters it." \
    "Run: sudo make test-arm64"
fi

place=$(realpath -m "${VL2_ARM64:-${XDG_CACHE_HOME:-$HOME/.cache}/vl2/arm64}")
read -r -a cpus <<<"${VL2_CPUS:-cortex-a76 cortex-a72 max}"
# A processor decides which kernels run, and so what these compute. What else there is runs the same instructions on each.
computing='^(KernelTests|QuantTests|RunTests|MeasureTests)\.'
fixtures=$PWD/Tests/TestSupport/Fixtures
arm64=$PWD/.build-arm64/aarch64-unknown-linux-gnu/release
work=$(mktemp -d)
leave() {
  rm -rf "$work"
  # What sudo built belongs to whoever the checkout belongs to.
  chown -R --reference=Package.swift .build .build-arm64 2>/dev/null || true
}
trap leave EXIT

scripts/install-dependencies.sh
scripts/arm64/setup.sh "$place"
exec 9>"$place/lock"
flock 9                                     # one build in a place at a time

say "Cross-building for arm64"
scripts/arm64/build.sh "$place" --build-tests
flock -u 9

say "Building for this machine"
swift build -c release --product vl2-convert
swift build -c release --product vl2
here=$(swift build -c release --show-bin-path)

for cpu in "${cpus[@]}"; do
  chosen=("$@")
  [ "$cpu" = "${cpus[0]}" ] || [ $# -gt 0 ] || chosen=(--filter "$computing")
  say "Tests on $cpu ${chosen[*]}"
  VL2_FIXTURES=$fixtures VL2_TEST_LAUNCHER="$PWD/scripts/arm64/run.sh $place $cpu" \
    scripts/arm64/run.sh "$place" "$cpu" "$arm64/vl2PackageTests.xctest" --testing-library swift-testing "${chosen[@]}"
done

# Packs a golden checkpoint and traces the golden cases with one set of programs.
trace() {                                   # trace FOLDER CHECKPOINT CODE PROGRAMS [RUNNER...]
  local model=$1/$2-$3.vl2q traces=$1/$2-$3 checkpoint=$fixtures/golden/checkpoints/$2 code=$3 programs=$4
  shift 4
  local exact=()
  [ "$code" != bf16 ] || exact=(--exact)
  mkdir -p "$(dirname "$model")"
  "$@" "$programs/vl2-convert" pack "$checkpoint" -o "$model" --weights "$code" --sections raw
  "$@" "$programs/vl2" trace --model "$model" --cases "$fixtures/golden/cases.json" -o "$traces" "${exact[@]}"
}
for checkpoint in nano-mha nano-outliers nano-mla nano-sigmoid; do
  for code in bf16 q4; do
    trace "$work/here" "$checkpoint" "$code" "$here"
    for cpu in "${cpus[@]}"; do
      say "$checkpoint, $code: $cpu against this machine"
      trace "$work/$cpu" "$checkpoint" "$code" "$arm64" scripts/arm64/run.sh "$place" "$cpu"
      cmp "$work/here/$checkpoint-$code.vl2q" "$work/$cpu/$checkpoint-$code.vl2q"
      scripts/arm64/compare-traces.py "$work/here/$checkpoint-$code" "$work/$cpu/$checkpoint-$code"
    done
  done
done
# Packs the model that ships and asks it a few questions.
ask_pocket() {                              # ask_pocket FOLDER PROGRAMS [RUNNER...]
  local folder=$1 programs=$2
  shift 2
  "$@" "$programs/vl2-convert" pack models/pocket/checkpoint -o "$folder/pocket.vl2q" --sections raw
  "$@" "$programs/vl2" eval --model "$folder/pocket.vl2q" --items models/pocket/eval/ci/items.jsonl --limit 16 \
    --answers "$folder/pocket.jsonl"
  "$here/vl2-convert" inspect "$folder/pocket.vl2q" --json >"$folder/pocket.json"
}
ask_pocket "$work/here" "$here"
for cpu in "${cpus[@]}"; do
  say "pocket: $cpu against this machine"
  ask_pocket "$work/$cpu" "$arm64" scripts/arm64/run.sh "$place" "$cpu"
  scripts/arm64/compare-packed.py "$work/here/pocket.json" "$work/$cpu/pocket.json"
  cmp "$work/here/pocket.jsonl" "$work/$cpu/pocket.jsonl"
done
say "arm64: the tests pass, and packed files, traces and pocket's answers are identical, on ${cpus[*]}"
