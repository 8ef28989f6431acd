#!/usr/bin/env python3
"""Say whether two packed files hold the same: the raw bytes of every section, by their SHA-256, and the tensors in them.

    compare-packed.py A.json B.json         as `vl2-convert inspect FILE --json` prints them

Stored bytes of a zstd section may differ between versions of zstd, and Debian's releases have different ones.
"""

import json
import sys


def held(path):
    with open(path) as file:
        packed = json.load(file)
    raw = [{name: section[name] for name in ("name", "encoding", "raw_length", "sha256", "tensors")}
           for section in packed["sections"]]
    return packed["format_version"], packed["recipe"], raw


ours, theirs = (held(path) for path in sys.argv[1:3])
if ours != theirs:
    differing = [a["name"] for a, b in zip(ours[2], theirs[2]) if a != b]
    sys.exit(f"{sys.argv[1]} and {sys.argv[2]} differ in sections {differing}, or in version or recipe")
