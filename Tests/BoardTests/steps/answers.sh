# shellcheck shell=bash
# The model that the package brings answers as on amd64, to the byte.
pocket=/usr/share/vl2/pocket
"$BOARD/answers.sh" vl2 "$pocket/pocket.vl2q" "$pocket/demo.png" "$BOARD/eval/items.jsonl" "$WORK/answers"
diff -r "$BOARD/expected" "$WORK/answers"
note "star: $(cat "$WORK/answers/star.txt"), sign: $(cat "$WORK/answers/sign.txt"), $(wc -l <"$WORK/answers/eval.jsonl") items"
