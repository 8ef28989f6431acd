"""Quantises a GGUF file by llama.cpp, as llama-quantize does without an importance matrix.

    pip install gguf==0.19.0 numpy && pip install --no-deps cyllama==0.2.18
    python llama_cpp_quantize.py F32.gguf Q4_0 [--threads 2]

Writes Q4_0.gguf beside F32.gguf, unless it is there and newer. Prints one JSON object: the file, bits a weight of all
matrices that are multiplied (the head among them, which may be the embedding too), and which share of them has which
kind of blocks: llama.cpp takes others than asked for where rows do not divide into its blocks.
"""

import argparse
import json
import os
import pathlib

import gguf
import numpy as np

CODES = {"Q4_0": 2, "IQ4_NL": 25, "Q4_K_M": 15}  # llama_ftype


def quantise(source, path, code, threads):
    from cyllama.llama import llama_cpp as llama

    llama.disable_logging()
    parameters = llama.LlamaModelQuantizeParams()
    parameters.nthread, parameters.ftype = threads, CODES[code]
    unfinished = path.with_suffix(".part")
    llama.model_quantize(str(source), str(unfinished), parameters)
    unfinished.rename(path)


def kinds(path):
    """Bits a weight of the matrices, and the share of each kind of blocks."""
    tensors = gguf.GGUFReader(path).tensors
    tied = all(tensor.name != "output.weight" for tensor in tensors)
    size, weights = 0, {}
    for tensor in tensors:
        if len(tensor.shape) > 1 and (tied or tensor.name != "token_embd.weight"):
            kind = tensor.tensor_type.name
            size, weights[kind] = size + 8 * int(tensor.n_bytes), weights.get(kind, 0) + int(np.prod(tensor.shape))
    count = sum(weights.values())
    return size / count, {kind: number / count for kind, number in sorted(weights.items())}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("code", choices=CODES)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    path = arguments.source.with_name(f"{arguments.code}.gguf")
    if not path.exists() or path.stat().st_mtime < arguments.source.stat().st_mtime:
        quantise(arguments.source, path, arguments.code, arguments.threads)
    bits, shares = kinds(path)
    print(json.dumps({"file": str(path), "bits": bits, "kinds": shares}))


if __name__ == "__main__":
    main()
