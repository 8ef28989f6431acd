#!/usr/bin/env bash
# The SHA-256 of every section of a packed file, as it is before compression, in order. Run on the host and in the machine.
# Usage: sections.sh VL2_CONVERT FILE
set -euo pipefail
"$1" inspect "$2" --json | grep -oE '"sha256" *: *"[0-9a-f]{64}"'
