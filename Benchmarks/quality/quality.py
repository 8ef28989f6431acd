"""Measures what codes cost on a really trained language model: mean KL from bfloat16, perplexity, bits a weight.

    python quality.py FOLDER [--windows N] [--without-llama] [--only NAME...]

FOLDER has what smollm.py and prose.py wrote: `make quality` does all of it. Packings, statistics and results stay there, and
what is newer than what it is made of is not made again. $VL2_BUILD names the folder of vl2 and vl2-convert. Prints a table
and writes FOLDER/results.json.

Bits are those of all matrices that are multiplied, the head among them; the embedding, which is looked up, is left out. KL and
perplexity are as `vl2 eval --perplexity` counts them. llama.cpp's codes are written by llama.cpp; what they stand for is packed
as bfloat16 and computed by vl2, so that all are measured by one program, on the same places, with int8 activations.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("VL2_BUILD", HERE.parent.parent / ".build/release"))
Q4 = [{"pattern": "language.model.embed_tokens.weight", "code": "int8"}, {"pattern": "*", "code": "q4"}]


def int8(*patterns):
    return [{"pattern": pattern, "code": "int8"} for pattern in patterns] + Q4


# Name, options of `vl2-convert pack`, whether statistics are used, rules in place of options.
PACKINGS = [
    ("bf16", ["--weights", "bf16"], False, None),
    ("int8", ["--weights", "int8"], False, None),
    ("q4", [], False, None),
    ("q4, calibrated", [], True, None),
    ("4.6 bits, calibrated", ["--bits", "4.6"], True, None),
    ("q4 with int8 head", None, False, int8("language.lm_head.weight")),
    ("q4 with int8 head, calibrated", None, True, int8("language.lm_head.weight")),
]
LLAMA_CPP = ["Q4_0", "IQ4_NL", "Q4_K_M"]


def run(program, *words):
    begin = time.monotonic()
    done = subprocess.run([BUILD / program, *map(str, words)], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"quality.py: {program} {' '.join(map(str, words))}: exit status {done.returncode}")
    return done.stdout, time.monotonic() - begin


def is_newer(path, *sources):
    return path.exists() and all(path.stat().st_mtime >= source.stat().st_mtime for source in sources)


def bits(model):
    """Bits a weight of the matrices that are multiplied."""
    manifest = json.loads(run("vl2-convert", "inspect", model, "--json")[0])
    size = weights = 0
    for use in manifest["codes"]:
        if use["code"] not in ("plain", "f32") and use["part"] != "embedding":
            size, weights = size + 8 * use["bytes"], weights + use["weights"]
    return size / weights


def pack(folder, name, options, is_calibrated, rules):
    """The path of a packing, which is made where it is missing or old."""
    statistics, recipe = folder / "statistics.safetensors", folder / f"{name}.json"
    path = folder / f"{name}.vl2q"
    if rules:
        recipe.write_text(json.dumps(rules))
        options = ["--recipe", recipe]
    sources = [folder / "checkpoint/model.safetensors", BUILD / "vl2-convert"]
    if is_calibrated:
        options, sources = [*options, "--calibration", statistics], [*sources, statistics]
    if not is_newer(path, *sources):
        table, seconds = run("vl2-convert", "pack", folder / "checkpoint", "-o", path, *options)
        print(f"packed {name} in {seconds:.0f} s", file=sys.stderr)
        (folder / f"{name}.txt").write_text(table)
    return path


def collect(folder, model):
    statistics, text = folder / "statistics.safetensors", folder / "calibration.txt"
    if not is_newer(statistics, text):
        _, seconds = run("vl2", "calibrate", "--model", model, "--text", text, "-o", statistics)
        print(f"collected statistics in {seconds:.0f} s", file=sys.stderr)


def measure(folder, name, model, reference, limit, size=None):
    words = ["eval", "--model", model, "--perplexity", folder / "evaluation.txt", "--against", reference, "--json"]
    result = json.loads(run("vl2", *words, *limit)[0])
    against = result["against"]
    return {
        "code": name, "bits": size or bits(model), "mean_kl": against["mean_kl"],
        "mean_kl_low": against.get("mean_kl_low"), "mean_kl_high": against.get("mean_kl_high"),
        "perplexity": result["perplexity"], "reference_perplexity": against["perplexity"], "tokens": result["tokens"],
        "windows": result["windows"], "top_token_agreement": against["top_token_agreement"],
        "seconds": result["seconds"],
    }


def llama_cpp(folder, code):
    """The path of a packing with the weights that a code of llama.cpp stands for, and bits a weight; None without it."""
    source, path = folder / "f32.gguf", folder / f"llama.cpp {code}.vl2q"
    words = [sys.executable, HERE.parent / "peers/llama_cpp_quantize.py", source, code]
    done = subprocess.run(list(map(str, words)), stdout=subprocess.PIPE, text=True)
    if done.returncode:
        print(f"quality.py: without llama.cpp's {code}, for the reason above", file=sys.stderr)
        return None
    made = json.loads(done.stdout)
    if not is_newer(path, pathlib.Path(made["file"])):
        words = [sys.executable, HERE / "smollm.py", folder / "decoded", "--gguf", made["file"]]
        subprocess.run(list(map(str, words)), check=True)
        run("vl2-convert", "pack", folder / "decoded/checkpoint", "-o", path, "--weights", "bf16")
        shutil.rmtree(folder / "decoded")
    return path, made["bits"]


def row(result):
    low, high = result["mean_kl_low"], result["mean_kl_high"]
    sure = f"{low:.4f} to {high:.4f}" if low is not None else ""
    return (f"| {result['code']} | {result['bits']:.2f} | {result['mean_kl']:.4f} | {sure} | {result['perplexity']:.2f} "
            f"| {100 * result['top_token_agreement']:.1f} % |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--windows", type=int, help="of 256 tokens; all of the text without it")
    parser.add_argument("--without-llama", action="store_true")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="of the packings: " + "; ".join(p[0] for p in PACKINGS))
    arguments = parser.parse_args()
    folder, limit = arguments.folder, ["--limit", arguments.windows] if arguments.windows else []
    wanted = [packing for packing in PACKINGS if not arguments.only or packing[0] in arguments.only]
    reference = pack(folder, *PACKINGS[0])
    if any(packing[2] for packing in wanted):
        collect(folder, pack(folder, *PACKINGS[2]))
    results = []
    for packing in wanted:
        results.append(measure(folder, packing[0], pack(folder, *packing), reference, limit))
        print(row(results[-1]), file=sys.stderr)
    for code in [] if arguments.without_llama else LLAMA_CPP:
        made = llama_cpp(folder, code)
        if made:
            results.append(measure(folder, f"llama.cpp {code}", made[0], reference, limit, made[1]))
            print(row(results[-1]), file=sys.stderr)
    (folder / "results.json").write_text(json.dumps(results, indent=1))
    first = results[0]
    print(f"{first['tokens']} tokens in {first['windows']} windows; the reference's perplexity is "
          f"{first['reference_perplexity']:.2f}\n")
    print("| code | bits | mean KL | 95 % | perplexity | same token |\n|---|---|---|---|---|---|")
    print("\n".join(map(row, results)))


if __name__ == "__main__":
    main()
