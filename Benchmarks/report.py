"""Writes what rounds of measuring found into Benchmarks/RESULTS.md and Benchmarks/speed.svg.

    python3 Benchmarks/report.py ROUNDS.jsonl

Each line is one object as `vl2 bench --json` or a script in Benchmarks/peers prints it. Medians count; a ratio is one of
medians. In RESULTS.md only what stands between the two marks is replaced.
"""

import datetime
import json
import pathlib
import statistics
import subprocess
import sys

BEGIN, END = "<!-- written by make bench -->", "<!-- end of what make bench writes -->"
HERE = pathlib.Path(__file__).resolve().parent
# Name in JSON, what it is, its unit, whether more is better.
MEASURES = [
    ("prompt_tokens_per_second", "prompt of 512", "tokens/s", True),
    ("write_tokens_per_second", "writing, 64 tokens", "tokens/s", True),
    ("write_tokens_per_second_at_3500", "writing at context 3,500", "tokens/s", True),
    ("tile_seconds", "one tile", "s", False),
    ("tile_seconds_of_five", "five tiles, each", "s", False),
    ("first_token_seconds", "first token, photo of 1200 x 800", "s", False),
    ("open_seconds", "opening", "s", False),
]
SHARES = [
    ("write_bandwidth_share", "writing: share of the read bandwidth"),
    ("prompt_peak_share", "prompt: share of the int8 and float peaks"),
    ("tile_peak_share", "one tile: share of the int8 and float peaks"),
]


def number(value):
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:,.{digits}f}"


def machine():
    name = memory = "unknown"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name") and name == "unknown":
            name = line.split(":", 1)[1].strip()
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal"):
            memory = f"{int(line.split()[1]) / 2**20:.0f} GiB"
    return name, memory


def commit():
    def git(*words):
        return subprocess.run(["git", "-C", HERE, *words], capture_output=True, text=True).stdout.strip()

    changed = " with changes" if git("status", "--porcelain", "--", "../Sources", "../tools") else ""
    return (git("rev-parse", "--short", "HEAD") or "unknown") + changed


def table(programs):
    names = list(programs)
    rows = ["| | " + " | ".join(names) + " | vl2 against the fastest of the others |", "|---" * (len(names) + 2) + "|"]
    for key, what, unit, more in MEASURES:
        values = {name: programs[name][key] for name in names if key in programs[name]}
        if "vl2" not in values:
            continue
        others = [value for name, value in values.items() if name != "vl2"]
        ratio = ""
        if others:
            ratio = f"{values['vl2'] / max(others) if more else min(others) / values['vl2']:.2f} x"
        cells = [f"{number(values[name])} {unit}" if name in values else "" for name in names]
        rows.append(f"| {what} | " + " | ".join(cells) + f" | {ratio} |")
    return "\n".join(rows)


def plot(programs):
    """Bars for prompt, writing and tiles of every program, each as a multiple of the slowest."""
    shown = [m for m in MEASURES if m[0] in ("prompt_tokens_per_second", "write_tokens_per_second", "tile_seconds")]
    colours = ["#2f6fab", "#b5651d", "#8a8a8a", "#5a8f4e"]
    lines, y = [], 34
    for key, what, unit, more in shown:
        values = {name: found[key] for name, found in programs.items() if key in found}
        if not values:
            continue
        lines.append(f'<text x="10" y="{y}" font-weight="bold">{what} ({unit}; {"more" if more else "less"} is better)</text>')
        most = max(values.values())
        for name, value in values.items():
            y += 22
            width = 400 * value / most
            colour = colours[list(programs).index(name) % len(colours)]
            lines.append(f'<text x="150" y="{y}" text-anchor="end">{name}</text>')
            lines.append(f'<rect x="158" y="{y - 12}" width="{width:.1f}" height="15" fill="{colour}"/>')
            lines.append(f'<text x="{164 + width:.1f}" y="{y}">{number(value)}</text>')
        y += 38
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="640" height="{y - 12}" font-family="sans-serif" font-size="13">\n'
            '<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(lines) + "\n</svg>\n")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    found = {}
    for line in pathlib.Path(sys.argv[1]).read_text().splitlines():
        result = json.loads(line)
        name = f"{result['name']} {result['kind']}" if "name" in result else "vl2"
        found.setdefault(name, []).append(result)
    if "vl2" not in found:
        sys.exit(f"report.py: {sys.argv[1]} holds no result of vl2; run Benchmarks/compare.sh")
    programs = {
        name: {key: statistics.median(r[key] for r in results if key in r)
               for key in {k for r in results for k, v in r.items() if isinstance(v, (int, float))}}
        for name, results in found.items()
    }
    programs = {"vl2": programs.pop("vl2"), **programs}
    ours = programs["vl2"]
    name, memory = machine()
    isa, threads = found["vl2"][0]["isa"], found["vl2"][0]["threads"]
    text = [
        BEGIN, "",
        f"{name}, {memory}, {threads} threads each, vl2 with {isa} kernels; commit {commit()}, {datetime.date.today()}. Medians of",
        f"{len(found['vl2'])} runs of vl2 and {max([len(r) for n, r in found.items() if n != 'vl2'], default=0)} of each other program, in turns.",
        "", table(programs), "", "![The same as bars](speed.svg)", "", "| | |", "|---|---|",
    ]
    text += [f"| {what} | {100 * ours[key]:.0f} % |" for key, what in SHARES if key in ours]
    text += [
        f"| reading mapped weights | {ours['read_bytes_per_second'] / 1e9:.1f} GB/s |",
        f"| int8 and float peak | {ours['int8_operations_per_second'] / 1e9:,.0f} GOP/s, "
        f"{ours['float_operations_per_second'] / 1e9:,.0f} GFLOP/s |",
        f"| weights that a token reads | {ours['weight_bytes_per_token'] / 1e6:,.0f} MB |",
        f"| writing at context 3,500 against context 0 | "
        f"{ours['write_tokens_per_second_at_3500'] / ours['write_tokens_per_second']:.2f} x |",
        f"| five tiles, each, against one | {ours['tile_seconds'] / ours['tile_seconds_of_five']:.2f} x |",
        f"| anonymous memory, peak | {ours['peak_anonymous_bytes'] / 2**20:,.0f} MiB |",
        "", END,
    ]
    (HERE / "speed.svg").write_text(plot(programs))
    path = HERE / "RESULTS.md"
    old = path.read_text()
    if BEGIN not in old or END not in old:
        sys.exit(f"report.py: {path} has no line {BEGIN} with {END} after it; put them where the table belongs")
    before, rest = old.split(BEGIN, 1)
    path.write_text(before + "\n".join(text) + rest.split(END, 1)[1])
    print("\n".join(text[1:-1]))


if __name__ == "__main__":
    main()
