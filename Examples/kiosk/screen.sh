#!/bin/sh
# Shows a page on the whole screen, from within cage or another compositor for Wayland.
# Usage: VL2_PAGE=ADDRESS VL2_TURN=normal|90|180|270 screen.sh [OPTION OF CHROMIUM...]
set -eu
turn=${VL2_TURN:-normal}
page=${VL2_PAGE:-http://127.0.0.1:11434/kiosk}
profile=${RUNTIME_DIRECTORY:-${XDG_RUNTIME_DIR:-/tmp}}/chromium

if [ "$turn" != normal ]; then
  wlr-randr | sed -n 's/^\([^ ][^ ]*\) .*/\1/p' | while read -r output; do
    wlr-randr --output "$output" --transform "$turn"
  done
fi
# No question, bubble or gesture leads away from the page, and nothing is fetched but the page.
exec chromium --kiosk --ozone-platform=wayland --user-data-dir="$profile" --no-first-run --noerrdialogs \
  --disable-session-crashed-bubble --disable-component-update --disable-background-networking --disable-sync \
  --disable-translate --disable-pinch --overscroll-history-navigation=0 --touch-events=enabled \
  --password-store=basic "$@" "$page"
