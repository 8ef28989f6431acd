#!/usr/bin/env bash
# Write the streams beside this script anew, three frames each, as ffmpeg does (those that are here: 5.1.9).
# Usage: make.sh
set -euo pipefail
cd "$(dirname "$0")"

write() { # FILE WORDS...
  local file=$1
  shift
  ffmpeg -nostdin -loglevel error -y -f lavfi -i "testsrc2=size=64x48:rate=2:duration=1.5,noise=alls=8:allf=t" "$@" - >"$file"
}
write mjpeg -f mjpeg -q:v 8
write mpjpeg -f mpjpeg -q:v 8
write image2pipe-444 -f image2pipe -c:v mjpeg -q:v 2 -pix_fmt yuvj444p
write mjpeg-422 -f mjpeg -q:v 8 -pix_fmt yuvj422p
write mjpeg-slices -f mjpeg -q:v 8 -threads 3 -slices 3
write mjpeg-usual-tables -f mjpeg -q:v 8 -huffman default
write mjpeg-worst -f mjpeg -q:v 24
