#!/usr/bin/env python3
"""Have `vl2 trace` read every picture of some folders, and hold its tiles against those that Pillow gives.

Usage: check-pictures.py MODEL PROCESSOR_CONFIG FOLDER... [--vl2 PATH] [--seconds N] [--jobs N]
Needs the Python packages Pillow and numpy. Any packed model does, with its checkpoint's processor_config.json; a small one
is quick:
  vl2-convert pack models/pocket/checkpoint -o pocket.vl2q
  scripts/check-pictures.py pocket.vl2q models/pocket/checkpoint/processor_config.json pictures/

Prints every picture whose tiles differ, every one that only one of both reads, with the reason, and exits with 1 where
tiles differ and where vl2 crashes or takes more than --seconds.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy as np
from PIL import Image, ImageOps

ORIENTATION = 0x0112
ENDINGS = (".jpg", ".jpeg", ".jfif", ".png", ".apng", ".webp")


def canvas(width, height, candidates):
    """The candidate that keeps most pixels, then wastes least."""
    best, most, least = None, 0, float("inf")
    for across, down in candidates:
        scale = min(across / width, down / height)
        kept = min(int(width * scale) * int(height * scale), width * height)
        if kept > most or (kept == most and across * down - kept < least):
            best, most, least = (across, down), kept, across * down - kept
    return best


def tiles(image, processor):
    """As the published processor cuts them, uint8 [1 + rows * columns, side, side, 3]."""
    candidates = [tuple(size) for size in processor["candidate_resolutions"]]
    grey = tuple(int(mean * 255) for mean in processor["image_mean"])
    side = candidates[0][0]
    views = [ImageOps.pad(image, (side, side), color=grey)]
    whole = ImageOps.pad(image, canvas(*image.size, candidates), color=grey)
    for top in range(0, whole.height, side):
        for left in range(0, whole.width, side):
            views.append(whole.crop((left, top, left + side, top + side)))
    return np.stack([np.asarray(view, np.uint8) for view in views])


def of_pillow(path, processor):
    """Tiles, or the error as text."""
    try:
        with Image.open(path) as opened:
            orientation = opened.getexif().get(ORIENTATION)
            if isinstance(orientation, bytes):
                # Pillow reads no orientation of bytes; vl2 does.
                opened.getexif()[ORIENTATION] = orientation[0]
            image = ImageOps.exif_transpose(opened)
            if image.mode == "I;16":
                # Pillow makes white of everything over 255; vl2 keeps the high byte.
                grey = (np.asarray(image) >> 8).astype(np.uint8)
                image = Image.fromarray(np.stack([grey] * 3, -1))
            return tiles(image.convert("RGB"), processor)
    except Exception as error:  # Pillow raises many kinds.
        return f"{type(error).__name__}: {error}".splitlines()[0]


def of_vl2(path, arguments):
    """Tiles, or the error line, or an exception that says how it ended otherwise."""
    with tempfile.TemporaryDirectory() as folder:
        cases = os.path.join(folder, "cases.json")
        with open(cases, "w") as file:
            json.dump([{"name": "case", "images": [str(path.resolve())], "turns": [["user", "<image>"]]}], file)
        command = [arguments.vl2, "trace", "--model", arguments.model, "--threads", "1", "--memory", "mapped"]
        command += ["--cases", cases, "--tiles", "-o", folder]
        run = subprocess.run(command, capture_output=True, text=True, timeout=arguments.seconds)
        if run.returncode < 0 or run.returncode not in (0, 65):
            raise RuntimeError(f"exit status {run.returncode}: {run.stderr.strip()}")
        if run.returncode:
            lines = run.stderr.strip().splitlines()
            if len(lines) != 1:
                raise RuntimeError(f"{len(lines)} lines for an error: {run.stderr.strip()}")
            return lines[0].partition(str(path.resolve()) + ": ")[2] or lines[0]
        with open(os.path.join(folder, "case.safetensors"), "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            entry = json.loads(file.read(length))["tiles.0"]
            begin, end = entry["data_offsets"]
            file.seek(8 + length + begin)
            return np.frombuffer(file.read(end - begin), np.uint8).reshape(entry["shape"])


def judge(path, processor, arguments):
    """A kind of result, and what there is to say of it."""
    try:
        ours = of_vl2(path, arguments)
    except subprocess.TimeoutExpired:
        return "hangs", f"more than {arguments.seconds} s"
    except RuntimeError as error:
        return "crashes", str(error)
    theirs = of_pillow(path, processor)
    if isinstance(ours, str) and isinstance(theirs, str):
        return "refused by both", None
    if isinstance(ours, str):
        return "refused by vl2 alone", ours
    if isinstance(theirs, str):
        return "read by vl2 alone", theirs
    if ours.shape != theirs.shape:
        return "differ", f"shape {ours.shape}, Pillow {theirs.shape}"
    largest = int(np.abs(ours.astype(int) - theirs).max())
    return ("differ", f"by up to {largest}") if largest else ("equal", None)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("processor")
    parser.add_argument("folders", nargs="+", type=pathlib.Path)
    parser.add_argument("--vl2", default=".build/release/vl2")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    with open(arguments.processor) as file:
        processor = json.load(file)
    failed = False
    for folder in arguments.folders:
        paths = sorted(path for path in folder.rglob("*") if path.name.lower().endswith(ENDINGS) and path.is_file())
        counts, lines = collections.Counter(), []
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            results = pool.map(lambda path: judge(path, processor, arguments), paths)
            for path, (kind, text) in zip(paths, results):
                counts[kind] += 1
                if text is not None:
                    lines.append(f"  {kind}: {path.relative_to(folder)}: {text}")
        print(f"{folder}: {len(paths)} pictures: " + ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())))
        print("\n".join(sorted(lines)), flush=True)
        failed = failed or any(counts[kind] for kind in ("differ", "crashes", "hangs"))
    sys.exit(failed)


if __name__ == "__main__":
    main()
