#!/usr/bin/env bash
# The Debian mirror that this machine's own apt sources name first; Debian's own where they name none.
# Usage: debian-mirror.sh
set -euo pipefail
mirror=$(cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null |
  sed -n 's/^URIs: *//p; s/^deb \(\[[^]]*\] \)\?\([^ ]*\) .*/\2/p' | head -n 1 || true)
printf '%s\n' "${mirror:-http://deb.debian.org/debian}"
