"""Compares 4-bit codes: bits a weight, and how far they are from the weights.

    python codes.py CHECKPOINT TENSOR...        a table of the relative RMSE of each code on each tensor
    python codes.py CHECKPOINT --code NAME -o OUT     the checkpoint with its matrices rounded to a code, in bfloat16:
                                                pack it with --weights bf16 to count right answers with that code

Needs numpy. CHECKPOINT is a folder with safetensors in bfloat16 or float32. Codes with a codebook try 24 sizes of each
group's scale and take the best; ours is the one that vl2-convert packs, by a search of its own (here in NumPy, a little
finer).
"""

import argparse
import json
import pathlib
import shutil
import sys

import numpy as np

# docs/FORMAT.md, "q4".
OURS = np.array([-127, -106, -83, -65, -49, -34, -21, -9, 3, 14, 26, 38, 52, 67, 86, 112], np.float32)
# llama.cpp's IQ4_NL.
IQ4_NL = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.float32)


def groups_of(matrix, size):
    rows, columns = matrix.shape
    return np.pad(matrix, ((0, 0), (0, -columns % size))).reshape(rows, -1, size)


def bf16(x):
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def plain(matrix, size=32):
    """Symmetric, -7...7, one float16 scale: the largest magnitude over 7."""
    x = groups_of(matrix, size)
    scale = (np.abs(x).max(-1, keepdims=True) / 7).astype(np.float16).astype(np.float32)
    codes = np.clip(np.rint(x / np.maximum(scale, 1e-30)), -7, 7)
    return codes * scale


def q4_0(matrix):
    """llama.cpp's Q4_0: -8...7, one float16 scale: the weight of the largest magnitude over -8."""
    x = groups_of(matrix, 32)
    largest = np.take_along_axis(x, np.abs(x).argmax(-1)[..., None], -1)
    scale = (largest / -8).astype(np.float16).astype(np.float32)
    return np.clip(np.floor(x / np.where(scale == 0, 1e-30, scale) + 8.5), 0, 15) * scale - 8 * scale


def nearest(values, book):
    return book[np.searchsorted((book[1:] + book[:-1]) / 2, values)]


def with_codebook(matrix, size, book, levels, signed, tries=24):
    """Indices into a codebook times an integer scale of the group, times a bfloat16 scale of the row."""
    x = groups_of(matrix, size)
    most = np.abs(x).max(-1, keepdims=True)
    span = float(np.abs(book).max())
    # The largest group scale of a row has to fit; sizes around what maps the largest weight to the end of the codebook.
    row_scale = bf16(most.max(1, keepdims=True) / span * 1.1 / levels)
    row_scale = np.where(row_scale == 0, 1, row_scale)
    best, chosen = np.full(most.shape, np.inf, np.float32), np.zeros_like(x)
    for sign in (1, -1) if signed else (1,):
        for factor in np.linspace(0.75, 1.15, tries, dtype=np.float32):
            scale = np.rint(np.clip(most / span * factor / row_scale, 0, levels)) * row_scale * sign
            decoded = nearest(x / np.where(scale == 0, 1, scale), book) * scale
            error = ((x - decoded) ** 2).sum(-1, keepdims=True)
            better = error < best
            best, chosen = np.where(better, error, best), np.where(better, decoded, chosen)
    return chosen


def bits(size, scale, row):
    """Bits a weight at 1280 columns."""
    return 4 + scale / size + row / 1280


CODES = {
    "plain32": ("symmetric, groups of 32, float16 scale", bits(32, 16, 0), plain),
    "q4_0": ("llama.cpp Q4_0", bits(32, 16, 0), q4_0),
    "iq4_nl": ("IQ4_NL's codebook, groups of 32, 8-bit scale", bits(32, 8, 16), lambda m: with_codebook(m, 32, IQ4_NL, 127, True)),
    "ours32": ("our codebook, groups of 32, 8-bit scale", bits(32, 8, 16), lambda m: with_codebook(m, 32, OURS, 127, True)),
    "unsigned16": ("our codebook, groups of 16, 6-bit unsigned scale", bits(16, 6, 16), lambda m: with_codebook(m, 16, OURS, 63, False)),
    "ours": ("our codebook, groups of 16, 6-bit signed scale: q4", bits(16, 6, 16), lambda m: with_codebook(m, 16, OURS, 31, True)),
}


def rounded(matrix, code):
    flat = matrix.reshape(len(matrix), -1)
    decoded = CODES[code][2](flat)
    return decoded.reshape(len(flat), -1)[:, :flat.shape[1]].reshape(matrix.shape)


def load(folder):
    """Name, file and place of every tensor: {name: (path, type, shape, begin, end)}."""
    found = {}
    for path in sorted(folder.glob("*.safetensors")):
        with open(path, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            for name, entry in json.loads(file.read(size)).items():
                if name != "__metadata__":
                    begin, end = entry["data_offsets"]
                    found[name] = (path, entry["dtype"], entry["shape"], 8 + size + begin, 8 + size + end)
    return found


def read(place):
    path, kind, shape, begin, end = place
    raw = np.fromfile(path, np.uint8, end - begin, offset=begin)
    if kind == "BF16":
        return (raw.view(np.uint16).astype(np.uint32) << 16).view(np.float32).reshape(shape)
    if kind == "F32":
        return raw.view(np.float32).reshape(shape)
    sys.exit(f"codes.py: {path}: tensors of type {kind} are not read here; give bfloat16 or float32")


def main():
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("checkpoint", type=pathlib.Path)
    asked.add_argument("tensors", nargs="*")
    asked.add_argument("--code", choices=CODES)
    asked.add_argument("-o", "--out", type=pathlib.Path)
    given = asked.parse_args()
    places = load(given.checkpoint)
    if given.code and given.out:
        shutil.copytree(given.checkpoint, given.out)
        for name, place in places.items():
            # As in the default recipe: matrices but the router, the embedding and the table of positions.
            if len(place[2]) < 2 or name.endswith(("mlp.gate.weight", "embed_tokens.weight", "pos_embed")):
                continue
            matrix = read(place)
            target = np.memmap(given.out / place[0].name, np.uint8, "r+", place[3], (place[4] - place[3],))
            values = rounded(matrix, given.code)
            if place[1] == "BF16":
                target[:] = (bf16(values).view(np.uint32) >> 16).astype(np.uint16).reshape(-1).view(np.uint8)
            else:
                target[:] = np.ascontiguousarray(values, np.float32).reshape(-1).view(np.uint8)
            target.flush()
        return
    matrices = []
    for name in given.tensors:
        if name not in places:
            sys.exit(f"codes.py: {given.checkpoint} has no tensor {name}")
        matrices.append(read(places[name]))
    print("| code | bits a weight | " + " | ".join(f"K = {m.shape[1]}" for m in matrices) + " |")
    print("|---" * (2 + len(matrices)) + "|")
    for code, (what, size, _) in CODES.items():
        errors = [np.sqrt(((m - rounded(m, code)) ** 2).sum() / (m**2).sum()) for m in matrices]
        print(f"| {what} | {size:.2f} | " + " | ".join(f"{error:.4f}" for error in errors) + " |")


if __name__ == "__main__":
    main()
