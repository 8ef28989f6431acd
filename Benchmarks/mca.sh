#!/usr/bin/env bash
# What the innermost loops of the arm64 kernels would take on processors that nobody has to own: llvm-mca's model of
# each, with everything in the first-level cache. Prints a table in Markdown:
#   bytes      packed weights that one turn of the loop uses, scales included (an expanded block's as they were packed)
#   B/cycle    the same a cycle; 10 GB/s for a core of 2.4 GHz are 4.2
#   peak       share of the multiply-adds that SDOT, SMMLA or SMULL alone would reach
#   beside     instructions a turn beside those multiplications, for each of them
# Usage: mca.sh            CLANG and MCA name the programs; needs a clang, llvm-mca 19, python3 and arm64 headers
# On Debian: apt install clang-19 llvm-19 python3, and on another processor libc6-dev-arm64-cross.
set -euo pipefail
shopt -s nullglob
cd "$(dirname "$0")/.."

find_program() {                            # find_program CANDIDATE...
  local name
  for name in "$@"; do
    if [ -n "$name" ] && command -v "$name" >/dev/null; then
      echo "$name"
      return
    fi
  done
  echo "mca.sh: none of these is here: $*; see the top of this script" >&2
  return 69
}
swiftc=$(readlink -f "$(command -v swiftc || true)")
clang=$(find_program "${CLANG:-}" "${swiftc:+$(dirname "$swiftc")/clang}" clang-19 clang)
mca=$(find_program "${MCA:-}" llvm-mca-19 llvm-mca)
headers=(-ISources/SIMDKernels/include)
if [ "$(uname -m)" != aarch64 ]; then headers+=(-isystem /usr/aarch64-linux-gnu/include); fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for file in Sources/SIMDKernels/Matmul/*_{neon,dotprod,i8mm}.c; do
  "$clang" --target=aarch64-linux-gnu "${headers[@]}" -O2 -std=gnu17 -S "$file" \
    -o "$scratch/$(basename "$file" .c).s"
done
"$clang" --version | head -n 1

python3 - "$scratch" "$mca" <<'PYTHON'
import pathlib, re, subprocess, sys

folder, mca = pathlib.Path(sys.argv[1]), sys.argv[2]
# Multiply-adds a cycle: 2 vector pipes for SDOT (16 each) and SMMLA (32), one for SMULL (8).
cores = {"neon": [("cortex-a72", 8)], "dotprod": [("neoverse-n1", 32), ("neoverse-n2", 32)], "i8mm": [("neoverse-n2", 64)]}
multiplies = {"sdot": 16, "smmla": 32, "smull": 8, "smull2": 8, "smlal": 8, "smlal2": 8}

def innermost_loop(text):
    """The instructions of the loop with the most multiplications, without loops inside."""
    lines = [l.split("//")[0].strip() for l in text.splitlines()]
    lines = [l for l in lines if l and (l.endswith(":") or not l.startswith("."))]
    places = {l[:-1]: i for i, l in enumerate(lines) if l.endswith(":")}
    loops = []
    for end, line in enumerate(lines):
        target = re.search(r"(\.LBB\w+)$", line)
        if target and line.startswith("b") and places.get(target[1], end) < end:
            loops.append((places[target[1]], end))
    loops = [a for a in loops if not any(b != a and a[0] <= b[0] and b[1] <= a[1] for b in loops)]
    bodies = [[l for l in lines[a:b + 1] if not l.endswith(":")] for a, b in loops]
    return max(bodies, key=lambda body: sum(l.split()[0] in multiplies for l in body))

# 16 rows of `columns` columns in a Q4 and an I8 block, scales included.
def packed_bytes(code, columns):
    return columns * (8 + 0.75) if code.startswith("q4") else columns * (16 + 0.5)

print("| loop | modelled as | bytes | cycles | B/cycle | peak | instructions | beside |")
print("|---|---|---|---|---|---|---|---|")
for path in sorted(folder.glob("matmul_*.s")):
    code, rows, isa = re.fullmatch(r"matmul_(q4|i8|q4x8|i8x8)_i8_(\d)x16_(\w+)", path.stem).groups()
    body = innermost_loop(path.read_text())
    sums = sum(multiplies.get(l.split()[0], 0) for l in body)
    count = sum(l.split()[0] in multiplies for l in body)
    # Two groups of a scale each turn: kernels for expanded blocks take some of the rows at a time.
    share = sums / (int(rows) * 16 * (64 if code == "q4" else 32))
    size = share * packed_bytes(code, 64 if code == "q4" else 32)
    for core, peak in cores[isa]:
        report = subprocess.run(
            [mca, "-march=aarch64", f"-mcpu={core}", "-mattr=+dotprod,+i8mm", "-iterations=200"],
            input="\n".join(body), capture_output=True, text=True, check=True).stdout
        cycles = int(re.search(r"Total Cycles: *(\d+)", report)[1]) / 200
        print(f"| {path.stem} | {core} | {size:.0f} | {cycles:.0f} | {size / cycles:.2f} | "
              f"{100 * sums / cycles / peak:.0f} % | {len(body)} | {(len(body) - count) / count:.2f} |")
PYTHON
