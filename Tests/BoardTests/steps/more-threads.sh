# shellcheck shell=bash
# More threads are asked for than the machine has processors, or would make: the work is done with fewer.
limited() { systemd-run --quiet --pipe --wait --collect --property TasksMax=40 "$@" 2>"$WORK/error" || { cat "$WORK/error"; return 1; }; }
answer=$(limited vl2 ask --threads 200 --model /var/lib/vl2/pocket.vl2q /usr/share/vl2/pocket/demo.png "What colour is the star?")
expect_equal "the answer" "$(cat "$BOARD/expected/star.txt")" "$answer"
limited vl2-convert pack --threads 200 "$BOARD/checkpoint" -o "$WORK/pocket.vl2q"
vl2-convert verify "$WORK/pocket.vl2q"
rm "$WORK/pocket.vl2q"
