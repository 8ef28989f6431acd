#!/usr/bin/env python3
"""What a photo question takes on boards that nobody has to own, by count: writes Benchmarks/boards.md.

    sudo make test-arm64                                       # once: makes the programs for arm64, too
    vl2-convert synthesize tiny -o .build/bench/tiny.vl2q      # once: for cutting a picture into tiles
    make board-counts

A plugin of qemu-user (count_blocks.c) counts how often each block of instructions is run while the arm64 kernels work on the
shapes of DeepSeek-VL2-Tiny (count_kernels.c): of a matrix 32 rows, with as many rows of activations as a question has, and
the rest scaled by its rows. llvm-mca says how many cycles each block takes on a model of the processor, with everything in
the first-level cache. It needs qemu-aarch64 with plugins, llvm-mca and llvm-mc 19, gcc, and clang with lld for arm64.
"""

import argparse
import collections
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import zlib

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)

# The processor as qemu and as llvm-mca call it. The Neoverse N1 is the same core as the Cortex-A76, of which llvm-mca
# only knows that it comes after the A57.
CORES = {"cortex-a72": "cortex-a72", "cortex-a76": "neoverse-n1"}
# Name, processor, fast cores, GHz, GB/s of memory, where that is from.
BOARDS = [
    ("Raspberry Pi 4", "cortex-a72", 4, 1.8, 4.0, "an assumption"),
    ("Raspberry Pi 5", "cortex-a76", 4, 2.4, 13.2, "llama.cpp #26484: two threads; 9.3 with one, 11.6 with four"),
    ("RK3588", "cortex-a76", 4, 2.35, 13.2, "an assumption: as the Raspberry Pi 5"),
]
CARD = 90e6  # bytes a second

# Tiny's shapes.
PATCHES, WIDTH, INNER, TOWER_HEADS, TOWER_HEAD, BLOCKS = 27 * 27, 1152, 4304, 16, 72, 27
HIDDEN, LAYERS, WORDS, EXPERT, SHARED, DENSE = 1280, 12, 129280, 896, 1792, 6848
HEADS, HEAD, EXPERTS, PICKED = 10, 128, 64, 6
# Tokens of a prompt: the picture as a whole, and one of 1200 x 800 seen in 7 tiles (docs/MODELS.md).
PROMPTS = {1: 440, 7: 1428}
FILE_BYTES = 1.94e9  # the packed file (docs/MODELS.md)
# Of a packed 4-bit weight: half a byte, and 48 bytes of scales for 64 columns of 16 rows (docs/FORMAT.md).
WEIGHT_BYTES = 0.5 + 48 / (64 * 16)


def tell(*words):
    print(*words, file=sys.stderr, flush=True)


# MARK: a picture


def picture(folder, name, width, height):
    """Noise on a gradient, as PNG."""
    path = f"{folder}/{name}.png"
    noise = np.random.default_rng(1).integers(0, 64, (height, width, 3), dtype=np.uint8)
    noise[:, :, 0] += (np.arange(width) * 191 // width).astype(np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in noise)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    with open(path, "wb") as out:
        out.write(
            b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))
    return path


# MARK: what a question does: pairs of a factor and a work of count_kernels.c


def product(rows, columns, count, kind="product"):
    """All rows of a matrix, of which 32 are run."""
    return rows / 32, f"{kind}:32:{columns}:{count}"


def on_rows(kind, count, columns):
    """Rows of which 16 are run."""
    return (count / 16, f"{kind}:16:{columns}") if count > 16 else (1, f"{kind}:{count}:{columns}")


def block():
    """One of the tower's, one tile."""
    yield from [on_rows("layer_norm", PATCHES, WIDTH)] * 2
    yield from [on_rows("quantize", PATCHES, WIDTH)] * 3
    yield product(3 * WIDTH, WIDTH, PATCHES)
    yield TOWER_HEADS, f"attention:{PATCHES}:{PATCHES}:{TOWER_HEAD}"
    yield product(WIDTH, WIDTH, PATCHES)
    yield product(INNER, WIDTH, PATCHES)
    yield on_rows("gelu", PATCHES, INNER)
    yield on_rows("quantize", PATCHES, INNER)
    yield product(WIDTH, INNER, PATCHES)
    yield from [on_rows("add", PATCHES, WIDTH)] * 2


def tile():
    """Tower and projector."""
    yield from ((BLOCKS * factor, work) for factor, work in block())
    yield on_rows("quantize", PATCHES, 588)
    yield product(WIDTH, 588, PATCHES)
    yield on_rows("layer_norm", PATCHES, WIDTH)
    yield on_rows("quantize", 14 * 14, 4 * WIDTH)
    yield product(HIDDEN, 4 * WIDTH, 14 * 14)
    yield on_rows("quantize", 14 * 14, HIDDEN)
    yield product(HIDDEN, HIDDEN, 14 * 14)


def gated(rows, count):
    """Gate, up and down of an expert."""
    yield product(rows, HIDDEN, count, "gated")
    yield on_rows("quantize", count, rows)
    yield product(HIDDEN, rows, count)


def rows_through_layers(count):
    """All layers and the last row's words. Routers, rotation and the sums of experts are left out: under 2 %."""
    for layer in range(LAYERS):
        yield from [on_rows("rms_norm", count, HIDDEN)] * 2
        yield from [on_rows("quantize", count, HIDDEN)] * 3
        yield product(3 * HIDDEN, HIDDEN, count)
        # Of a prompt a query sees half of the keys on average, whatever their number.
        size = min(count, 512)
        yield HEADS * (count / size)**2, f"causal:{size}:{size}:{HEAD}"
        yield product(HIDDEN, HIDDEN, count)
        if layer == 0:
            yield from gated(DENSE, count)
            continue
        yield from gated(SHARED, count)
        experts = min(EXPERTS, PICKED * count)
        for factor, work in gated(EXPERT, max(1, round(PICKED * count / experts))):
            yield experts * factor, work
    yield product(WORDS, HIDDEN, 1)
    yield on_rows("argmax", 101, HIDDEN)


def bytes_read(stage):
    """Of weights, each once."""
    total = 0
    for factor, work in stage:
        kind, *shape = work.split(":")
        if kind in ("product", "gated"):
            total += factor * int(shape[0]) * int(shape[1]) * WEIGHT_BYTES * (2 if kind == "gated" else 1)
    return total


STAGES = {"tile": list(tile()), "token": list(rows_through_layers(1))}
STAGES |= {f"prompt {count}": list(rows_through_layers(count)) for count in {512, *PROMPTS.values()}}


# MARK: counting


def run(given, core, name, words):
    """What a program did under an emulator, between the places where it says that a work is over: for each a list of
    (times, instructions)."""
    path = f"{given.counts}/{core}-{name}.txt"
    if not os.path.exists(path):
        tell(f"{core}: {name}")
        command = [
            given.qemu, "-cpu", core, "-L", given.place + "/target",
            "-E", "LD_LIBRARY_PATH=/usr/libexec/swift/lib/swift/linux", "-E", "XDG_CACHE_HOME=/nonexistent",
            "-plugin", f"{given.counts}/count_blocks.so,out={path}.part"] + words
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"boards.py: {' '.join(words)}: status {done.returncode}: {done.stderr.strip()}")
        os.rename(path + ".part", path)
    parts = [collections.Counter()]
    with open(path) as file:
        for line in file:
            if line == "end\n":
                parts.append(collections.Counter())
                continue
            runs, _, code = line.split()
            parts[-1][code] += int(runs)
    return parts


def build(given):
    """The plugin, and the program with the kernels that were built for arm64."""
    subprocess.run(
        ["gcc", "-O2", "-shared", "-fPIC", "-o", given.counts + "/count_blocks.so", HERE + "/count_blocks.c"],
        check=True)
    kernels = [
        os.path.join(folder, name) for folder, _, names in os.walk(given.build + "/SIMDKernels.build")
        for name in names if name.endswith(".o")]
    if not kernels:
        sys.exit(f"boards.py: {given.build}: no kernels for arm64 there; scripts/arm64/build.sh makes them")
    subprocess.run(
        [given.clang, "--target=aarch64-linux-gnu", f"--sysroot={given.place}/target", "-fuse-ld=lld", "-O2",
         f"-I{ROOT}/Sources/SIMDKernels/include", HERE + "/count_kernels.c"] + sorted(kernels)
        + ["-lm", "-o", given.counts + "/count_kernels"], check=True)


def picture_blocks(given, core):
    """What decoding a picture of 1200 x 800 and cutting it into tiles takes beyond a small one."""

    def tiled(name, width, height):
        path = picture(given.counts, name, width, height)
        cases = f"{given.counts}/{name}.json"
        with open(cases, "w") as file:
            json.dump([{"name": name, "images": [path], "turns": [["user", "Hello"]], "new_tokens": 0}], file)
        words = [given.build + "/vl2", "trace", "--model", given.model, "--tiles", "--cases", cases,
                 "--threads", "1", "-o", given.counts + "/traced"]
        return sum(run(given, core, name, words), collections.Counter())

    more = tiled("photo", 1200, 800)
    more.subtract(tiled("dot", 16, 16))
    # What differs by chance, as where things lie in memory, may be less than nothing.
    return +more


def measure(given, core):
    """Of each stage: (instructions, cycles)."""
    works = sorted({work for stage in STAGES.values() for _, work in stage})
    parts = run(given, core, "kernels", [given.counts + "/count_kernels"] + works)
    # Between two ends are preparing and work, in turn.
    counts = dict(zip(works, parts[1::2]))
    stages = {}
    for name, stage in STAGES.items():
        blocks = stages[name] = collections.Counter()
        for factor, work in stage:
            for code, runs in counts[work].items():
                blocks[code] += factor * runs
    stages["picture"] = picture_blocks(given, core)
    took = cycles(given, core, stages.values())
    found = {}
    for name, blocks in stages.items():
        known = sum(runs * len(code) for code, runs in blocks.items() if code in took)
        whole = sum(runs * len(code) for code, runs in blocks.items())
        # Blocks that are run rarely take as long as the others on average.
        found[name] = whole / 8, sum(runs * took[code] for code, runs in blocks.items() if code in took) * whole / known
    return found


def cycles(given, core, stages, share=0.99):
    """How many cycles a block takes that is run again and again, of those that are the given share of a stage."""
    codes = set()
    for blocks in stages:
        whole, seen = sum(runs * len(code) for code, runs in blocks.items()), 0
        for code, runs in sorted(blocks.items(), key=lambda item: -item[1] * len(item[0])):
            if seen >= share * whole:
                break
            codes.add(code)
            seen += runs * len(code)
    codes = sorted(codes)
    # Little-endian bytes for the disassembler, an instruction a line.
    words = [code[i:i + 8] for code in codes for i in range(0, len(code), 8)]
    text = "\n".join(" ".join(f"0x{word[i:i + 2]}" for i in (6, 4, 2, 0)) for word in words)
    listing = subprocess.run(
        [given.mc, "--disassemble", "-triple=aarch64", "-mattr=+all"], input=text, capture_output=True, text=True).stdout
    lines = [line.strip() for line in listing.splitlines()]
    lines = [line for line in lines if line and not line.startswith(".")]
    if len(lines) != len(words):
        sys.exit(f"boards.py: {given.mc} knows {len(lines)} of {len(words)} instructions; take a newer one")
    text, at = [], 0
    for number, code in enumerate(codes):
        text.append(f"# LLVM-MCA-BEGIN b{number}")
        for line in lines[at:at + len(code) // 8]:
            # Where a branch goes does not count.
            text.append(re.sub(r"#-?\d+$", "#4", line) if re.match(r"(b|bl|cb|tb|b\.)\w*\s", line) else line)
        text.append("# LLVM-MCA-END")
        at += len(code) // 8
    report = subprocess.run(
        [given.mca, "-march=aarch64", f"-mcpu={CORES[core]}", "-mattr=+dotprod,+crc", "-iterations=100"],
        input="\n".join(text), capture_output=True, text=True)
    found = re.findall(
        r"Code Region - b(\d+)\s+Iterations: *\d+\s+Instructions: *\d+\s+Total Cycles: *(\d+)", report.stdout)
    if len(found) != len(codes):
        sys.exit(f"boards.py: {given.mca} modelled {len(found)} of {len(codes)} blocks: {report.stderr.strip()[:500]}")
    return {codes[int(number)]: int(total) / 100 for number, total in found}


# MARK: the page


def number(value):
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}"


def number(value):
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 else 4
    return f"{value:,.{digits}f}"


def page(found):
    out = []
    out.append("# Boards, by count\n")
    out.append(
        "What one question about a photo takes, with Tiny, on boards that this program has not been run on. Nothing here\n"
        "was measured on a board: `Benchmarks/boards.py`, which writes this page, counts instructions of the arm64 kernels\n"
        "under an emulator, on Tiny's shapes (32 rows of each matrix, the others by their number), and takes the cycles of\n"
        "each block of instructions from llvm-mca's model of the processor, with everything in the first-level cache. The\n"
        "times are these cycles over all fast cores, and a token's weights over the speed of memory. What a real board\n"
        "adds are waiting for memory, threads that wait for one another, and heat. `vl2 bench --report` on a board\n"
        "confirms or refutes each line; the report's line is named.\n")
    for name, core, cores, clock, memory, source in BOARDS:
        if core not in found:
            continue
        f = found[core]
        read = bytes_read(STAGES["token"]) / (memory * 1e9)

        def seconds(stage):
            return f[stage][1] / (cores * clock * 1e9)

        # A picture is decoded on one core.
        decoding = f["picture"][1] / (clock * 1e9)
        rows = [
            ("picture: decoding 1200 x 800 (PNG), cutting", "picture", decoding, "part of first token"),
            ("tower and projector, a tile", "tile", seconds("tile"), "one tile"),
            ("prompt of 512 tokens", "prompt 512", seconds("prompt 512"),
             f"prompt of 512 tokens: {number(512 / seconds('prompt 512'))} tokens/s"),
        ]
        rows += [(f"prompt of {n} tokens", f"prompt {n}", seconds(f"prompt {n}"), "") for n in PROMPTS.values()]
        rows += [
            ("a token, computing", "token", seconds("token"), "writing at context 0, if it takes longer than reading"),
            ("a token, reading", None, read, f"writing at context 0; reading mapped weights: {memory} GB/s"),
        ]
        out.append(f"## {name}: {cores} x {core.replace('cortex-a', 'Cortex-A')} at {clock} GHz\n")
        out.append(f"Memory: {memory} GB/s ({source}).\n")
        out.append("| stage | instructions | cycles | instructions a cycle | weights read | time | line of the report |")
        out.append("|---|---|---|---|---|---|---|")
        for what, stage, took, line in rows:
            counts = ["", "", ""]
            if stage:
                many, long = f[stage]
                counts = [f"{number(many / 1e9)} G", f"{number(long / 1e9)} G", f"{many / long:.2f}"]
            many = bytes_read(STAGES.get(stage or "token", []))
            weights = f"{number(many / 1e6)} MB" if many else ""
            out.append(f"| {what} | {' | '.join(counts)} | {weights} | {number(took)} s | {line} |")
        out.append("")
        out.append("| question | first word, warm | cold, read when wanted | cold, read ahead | writing, at most |")
        out.append("|---|---|---|---|---|")
        for tiles, prompt in PROMPTS.items():
            warm = decoding + tiles * seconds("tile") + seconds(f"prompt {prompt}")
            load = FILE_BYTES / CARD
            out.append(
                f"| {tiles} {'tile' if tiles == 1 else 'tiles'}, {prompt} tokens | {number(warm)} s | "
                f"{number(warm + load)} s | {number(max(warm, load))} s | "
                f"{number(1 / max(seconds('token'), read))} tokens/s |")
        out.append("")
    out.append(
        "Cold: 1.94 GB from a card of 90 MB/s. Read ahead: the longer of computing and reading, which go on at the same\n"
        "time; what is computed after the last byte has come, a part of the last layer, comes on top. The report's lines\n"
        "are *first token* for 7 tiles, warm, and *storage* for the card.\n")
    out.append(OTHERS)
    return "\n".join(out)


OTHERS = """## Beside what is published for other programs

Of other models, since none of these programs runs DeepSeek-VL2 there (docs/MODELS.md); as their authors or users state
it, not measured here.

| program, model | board | |
|---|---|---|
| llama.cpp's server, SmolVLM2-2.2B | Raspberry Pi 5 | an answer about one view in 4 s, 24 s where it is started for it |
| RKLLM, DeepSeek-OCR, on the NPU | RK3588 | a view encoded in 2.09 s, its prompt read in 0.70 s, 31.8 tokens/s written |
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    parser.add_argument(
        "--place", default=os.environ.get("VL2_ARM64") or cache + "/vl2/arm64", help="what scripts/arm64/setup.sh made")
    parser.add_argument(
        "--build", default=ROOT + "/.build-arm64/aarch64-unknown-linux-gnu/release",
        help="what scripts/arm64/build.sh made")
    parser.add_argument("--model", default=ROOT + "/.build/bench/tiny.vl2q", help="of Tiny's size, for its tiles")
    parser.add_argument("--qemu", default="qemu-aarch64", help="with plugins: Debian's qemu-user, not qemu-user-static")
    parser.add_argument("--clang", default="clang")
    parser.add_argument("--mca", default=shutil.which("llvm-mca-19") or "llvm-mca")
    parser.add_argument("--mc", default=shutil.which("llvm-mc-19") or "llvm-mc")
    parser.add_argument(
        "--counts", default=ROOT + "/.build/board-counts",
        help="keeps what was counted, and takes what is there already")
    given = parser.parse_args()
    os.makedirs(given.counts, exist_ok=True)
    build(given)
    print(page({core: measure(given, core) for core in CORES}))


if __name__ == "__main__":
    main()
