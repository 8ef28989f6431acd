#!/usr/bin/env python3
"""Hold two folders of `vl2 trace` against each other. Usage: compare-traces.py FOLDER FOLDER

Fails, and names the case and the tensor, unless both hold the same cases with the same tensors, byte for byte.
"""

import json
import struct
import sys
from pathlib import Path


def tensors(path):
    """The tensors of a safetensors file in the order of its bytes: name -> (dtype, shape, bytes)."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    body = data[8 + length :]
    entries = sorted(header.items(), key=lambda item: item[1]["data_offsets"])
    return {name: (e["dtype"], e["shape"], body[slice(*e["data_offsets"])]) for name, e in entries}


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.splitlines()[0])
    left, right = map(Path, sys.argv[1:])
    cases = sorted(path.name for path in left.glob("*.safetensors"))
    if not cases or cases != sorted(path.name for path in right.glob("*.safetensors")):
        sys.exit(f"{left} and {right} do not hold the same cases, or none")
    differ, compared = [], 0
    for case in cases:
        ours, theirs = tensors(left / case), tensors(right / case)
        if "greedy" not in ours or ours.keys() != theirs.keys():
            differ.append(f"{case}: not the same tensors")
            continue
        compared += len(ours)
        differ += [f"{case}: {name}" for name, tensor in ours.items() if tensor != theirs[name]]
    print(f"{len(cases)} cases, {compared} tensors, {len(differ)} differ")
    for line in differ:
        print(f"  {line}")
    sys.exit(1 if differ else 0)


main()
