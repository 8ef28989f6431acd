#!/usr/bin/env bash
# From a clone to answers: install what is missing (asking before sudo), build, pack the bundled model pocket, ask two
# questions about a bundled picture and have one thing in it found, with the box drawn to .build/demo/found.png.
# Usage: demo.sh [QUESTION]     your own question instead
#        demo.sh --serve        answer other programs with pocket until Ctrl-C; PORT=N at another port than 11434
set -euo pipefail
cd "$(dirname "$0")/.."

checkpoint=models/pocket/checkpoint
picture=models/pocket/demo.png
model=.build/demo/pocket.vl2q

say() { printf '%s\n' "$*" >&2; }

# Leaves the programs in $bin and the packed model in $model.
prepare() {
  scripts/install-dependencies.sh

  say "Building vl2 and vl2-convert (minutes the first time)"
  swift build -c release --product vl2-convert >&2
  swift build -c release --product vl2 >&2
  bin=$(swift build -c release --show-bin-path)

  # Pack again only when the tool or the checkpoint is newer than the packed file.
  mkdir -p "$(dirname "$model")"
  if [ ! -e "$model" ] || [ -n "$(find "$checkpoint" "$bin/vl2-convert" -type f -newer "$model")" ]; then
    say "Packing $checkpoint"
    "$bin/vl2-convert" pack "$checkpoint" -o "$model" >&2
  fi
}

serve() {
  local port=${PORT:-11434} address
  if ! [[ $port =~ ^[1-9][0-9]{0,4}$ ]] || [ "$port" -gt 65535 ]; then
    say "PORT=$port: give a number from 1 to 65535, as in: make serve-demo PORT=11435"
    exit 64
  fi
  # Before minutes of building, not after them.
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    say "Port $port is taken (Ollama has 11434, too). End the program that listens there, or choose another port:"
    say "  make serve-demo PORT=$((port < 65535 ? port + 1 : port - 1))"
    exit 69
  fi
  prepare
  address=http://127.0.0.1:$port
  say ""
  say "As soon as the last line says 'serving pocket', open $address/ in a browser on this machine, or paste"
  say "this into another terminal, in this folder; its answer is red:"
  say ""
  say "curl -sS $address/api/generate -d '{\"model\": \"pocket\", \"stream\": false," \
    "\"prompt\": \"What colour is the star?\", \"images\": [\"'\$(base64 -w0 $picture)'\"]}'"
  say ""
  say "docs/INTEGRATIONS.md has what to paste into other programs. Ctrl-C ends the server."
  exec "$bin/vl2" serve --model "$model" --demo --port "$port"
}

ask() { # WORDS of vl2 ask after the model; prints the command, the answer and the seconds it took
  local begin end
  say ""
  say "\$ vl2 ask --model $model$(printf ' %q' "$@")"
  begin=$(date +%s%N)
  "$bin/vl2" ask --model "$model" "$@"
  end=$(date +%s%N)
  say "($(((end - begin) / 1000000)) ms, opening included)"
}

if [ "${1:-}" = --serve ]; then serve; fi
prepare
if [ $# -gt 0 ]; then
  ask "$picture" "$1"
else
  ask "$picture" "What colour is the star?"
  ask "$picture" "What does the sign say?"
  ask --ground "the star" --draw .build/demo/found.png "$picture"
fi

say ""
say "The picture is $picture. pocket is a model of 11 million weights, trained for this repository on drawn pictures"
say "(models/pocket/README.md). For photos, fetch a published checkpoint such as deepseek-ai/deepseek-vl2-tiny (its"
say "weights have their own licence), pack it once and ask:"
say ""
say "  .build/release/vl2-convert pack /path/to/deepseek-vl2-tiny -o tiny.vl2q"
say "  .build/release/vl2 ask --model tiny.vl2q photo.jpg \"What is in the picture?\""
