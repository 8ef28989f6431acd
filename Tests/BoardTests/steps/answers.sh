# shellcheck shell=bash
# The model that the package brings answers as on amd64, to the byte.
pocket=/usr/share/vl2/pocket
"$BOARD/answers.sh" vl2 "$pocket/pocket.vl2q" "$pocket/demo.png" "$BOARD/eval/items.jsonl" "$WORK/answers"
diff -r "$BOARD/expected" "$WORK/answers"
cd "$WORK/answers" || exit
note "star: $(cat star.txt), sign: $(cat sign.txt), $(wc -l <eval.jsonl) items"
