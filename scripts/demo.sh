#!/usr/bin/env bash
# From a clone to an answer: install what is missing (asking before sudo), build, pack a bundled checkpoint
# and ask about a bundled picture.
# Usage: demo.sh [QUESTION]
set -euo pipefail
cd "$(dirname "$0")/.."

checkpoint=Tests/TestSupport/Fixtures/golden/checkpoints/nano-mha
picture=Tests/TestSupport/Fixtures/golden/images/wide.jpg
model=.build/demo/nano.vl2q
question=${1:-What is in the picture?}

say() { printf '%s\n' "$*" >&2; }

scripts/install-dependencies.sh

say "Building vl2 and vl2-convert (minutes the first time)"
swift build -c release --product vl2-convert >&2
swift build -c release --product vl2 >&2
bin=$(swift build -c release --show-bin-path)

# Pack again only when the tool or the checkpoint is newer than the packed file.
mkdir -p "$(dirname "$model")"
if [ ! -e "$model" ] || [ -n "$(find "$checkpoint" "$bin/vl2-convert" -type f -newer "$model")" ]; then
  say "Packing $checkpoint"
  "$bin/vl2-convert" pack "$checkpoint" -o "$model"
fi

say ""
say "\$ vl2 ask --model $model --max-tokens 24 $picture \"$question\""
"$bin/vl2" ask --model "$model" --max-tokens 24 "$picture" "$question"
say ""
say "The model of this demonstration has random weights, so its answer means nothing: it shows that the whole"
say "way from photo to text runs here. For real answers, fetch a published checkpoint such as"
say "deepseek-ai/deepseek-vl2-tiny (its weights have their own licence), pack it once and ask:"
say ""
say "  .build/release/vl2-convert pack /path/to/deepseek-vl2-tiny -o tiny.vl2q"
say "  .build/release/vl2 ask --model tiny.vl2q photo.jpg \"$question\""
