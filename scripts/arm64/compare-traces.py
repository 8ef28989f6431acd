#!/usr/bin/env python3
"""Hold two folders of `vl2 trace` against each other. Usage: compare-traces.py FOLDER FOLDER

Fails unless both hold the same cases with the same tensors, and every integer tensor (token ids, grids, tiles,
routes, greedy tokens) is the same byte for byte. Float tensors that differ are counted and named, not failed.
"""

import json
import struct
import sys
from pathlib import Path


def tensors(path):
    """The tensors of a safetensors file: name -> (dtype, shape, bytes)."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    body = data[8 + length :]
    return {
        name: (entry["dtype"], entry["shape"], body[slice(*entry["data_offsets"])])
        for name, entry in header.items()
        if name != "__metadata__"
    }


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.splitlines()[0])
    left, right = map(Path, sys.argv[1:])
    cases = sorted(path.name for path in left.glob("*.safetensors"))
    if not cases or cases != sorted(path.name for path in right.glob("*.safetensors")):
        sys.exit(f"{left} and {right} do not hold the same cases")
    wrong, compared, floats = [], 0, []
    for case in cases:
        ours, theirs = tensors(left / case), tensors(right / case)
        if ours.keys() != theirs.keys() or "greedy" not in ours:
            wrong.append(f"{case}: not the same tensors")
            continue
        for name, tensor in ours.items():
            compared += 1
            if tensor == theirs[name]:
                continue
            (floats if tensor[0].startswith(("F", "BF")) else wrong).append(f"{case} {name}")
    print(f"{len(cases)} cases, {compared} tensors: {len(wrong)} integer and {len(floats)} float tensors differ")
    for line in wrong + floats[:8]:
        print(f"  differs: {line}")
    sys.exit(1 if wrong else 0)


main()
