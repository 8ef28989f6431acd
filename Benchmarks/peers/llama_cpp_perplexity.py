"""Measures what llama.cpp's codes cost on a text: KL from the float32 weights, perplexity, bits a weight.

    pip install gguf numpy tokenizers cffi && pip install --no-deps llama-cpp-py-sync==0.11739
    python llama_cpp_perplexity.py F32.gguf TOKENIZER.json TEXT [--codes Q4_0 IQ4_NL Q4_K_M] [--limit N]

The same windows and the same places as `vl2 eval --perplexity TEXT --against`: 256 tokens with the begin token, of which
all but the first two count. Prints one JSON object a code, named as those of vl2. Bits are those of all matrices that are
multiplied, the head among them, which is the embedding too.
"""

import argparse
import json
import math
import pathlib

import gguf
import numpy as np
import tokenizers
from llama_cpp_py_sync import _cffi_bindings as bindings

WINDOW = 256
CODES = {"Q4_0": "LLAMA_FTYPE_MOSTLY_Q4_0", "IQ4_NL": "LLAMA_FTYPE_MOSTLY_IQ4_NL", "Q4_K_M": "LLAMA_FTYPE_MOSTLY_Q4_K_M"}
ffi, llama = bindings.get_ffi(), None


class Model:
    """Logits of windows, by llama.cpp."""

    def __init__(self, path, threads):
        self.model = llama.llama_model_load_from_file(str(path).encode(), llama.llama_model_default_params())
        parameters = llama.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = WINDOW
        parameters.n_threads = parameters.n_threads_batch = threads
        self.context = llama.llama_init_from_model(self.model, parameters) if self.model else None
        if not self.context:
            raise SystemExit(f"llama_cpp_perplexity.py: {path}: llama.cpp does not open it")
        self.words = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(self.model))

    def logits(self, tokens):
        """[len(tokens)][vocabulary]."""
        llama.llama_memory_clear(llama.llama_get_memory(self.context), True)
        batch = llama.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for place, token in enumerate(tokens):
            batch.token[place], batch.pos[place] = token, place
            batch.n_seq_id[place], batch.seq_id[place][0], batch.logits[place] = 1, 0, 1
        status = llama.llama_decode(self.context, batch)
        llama.llama_batch_free(batch)
        if status:
            raise SystemExit(f"llama_cpp_perplexity.py: llama_decode: {status}")
        size = len(tokens) * self.words
        values = np.frombuffer(ffi.buffer(llama.llama_get_logits(self.context), 4 * size), np.float32)
        return values.reshape(len(tokens), self.words).copy()

    def close(self):
        llama.llama_free(self.context)
        llama.llama_model_free(self.model)


def quantised(source, code, threads):
    """The path of the file in a code, which is made where it is missing."""
    path = source.with_name(f"{code}.gguf")
    if not path.exists() or path.stat().st_mtime < source.stat().st_mtime:
        parameters = ffi.new("llama_model_quantize_params *", llama.llama_model_quantize_default_params())
        parameters.nthread, parameters.ftype = threads, getattr(llama, CODES[code])
        if llama.llama_model_quantize(str(source).encode(), str(path).encode(), parameters):
            raise SystemExit(f"llama_cpp_perplexity.py: {code}: llama_model_quantize failed")
    return path


def bits(path):
    """Bits a weight of the matrices, and the kinds of blocks that they are in."""
    size, count, kinds = 0, 0, {}
    for tensor in gguf.GGUFReader(path).tensors:
        if len(tensor.shape) > 1:
            weights = int(np.prod(tensor.shape))
            size, count = size + tensor.n_bytes, count + weights
            kinds[tensor.tensor_type.name] = kinds.get(tensor.tensor_type.name, 0) + weights
    return 8 * size / count, {kind: weights / count for kind, weights in kinds.items()}


def log_softmax(logits):
    logits = logits.astype(np.float64)
    logits -= logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def windows(text, tokenizer, limit):
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    parts = [ids[first:first + WINDOW - 1] for first in range(0, len(ids), WINDOW - 1)]
    return [[0] + part for part in parts if len(part) > 1][:limit]


def main():
    global llama
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("tokenizer")
    parser.add_argument("text", type=pathlib.Path)
    parser.add_argument("--codes", nargs="+", choices=CODES, default=list(CODES))
    parser.add_argument("--limit", type=int)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    llama = bindings.get_lib()
    quiet = ffi.callback("void(enum ggml_log_level, const char *, void *)", lambda level, text, data: None)
    llama.llama_log_set(quiet, ffi.NULL)
    llama.llama_backend_init()

    tokenizer = tokenizers.Tokenizer.from_file(arguments.tokenizer)
    text = windows(arguments.text.read_text(encoding="utf-8"), tokenizer, arguments.limit)
    models = {code: Model(quantised(arguments.source, code, arguments.threads), arguments.threads)
              for code in arguments.codes}
    reference = Model(arguments.source, arguments.threads)
    loss, divergences = {code: [] for code in ["F32", *models]}, {code: [] for code in models}
    for tokens in text:
        places, following = slice(1, len(tokens) - 1), np.array(tokens[2:])
        p = log_softmax(reference.logits(tokens)[places])
        loss["F32"].append(-p[np.arange(len(following)), following])
        for code, model in models.items():
            q = log_softmax(model.logits(tokens)[places])
            loss[code].append(-q[np.arange(len(following)), following])
            divergences[code].append((np.exp(p) * (p - q)).sum(-1))
    for code in models:
        size, kinds = bits(quantised(arguments.source, code, arguments.threads))
        kl = np.concatenate(divergences[code])
        sums = np.array([(part.sum(), len(part)) for part in divergences[code]])
        error = math.sqrt(len(sums) / max(1, len(sums) - 1) * ((sums[:, 0] - kl.mean() * sums[:, 1]) ** 2).sum()) / len(kl)
        print(json.dumps({
            "program": "llama.cpp", "code": code, "bits": size, "kinds": kinds, "tokens": len(kl), "windows": len(text),
            "mean_kl": float(kl.mean()), "mean_kl_error": error,
            "perplexity": math.exp(np.concatenate(loss[code]).mean()),
            "reference_perplexity": math.exp(np.concatenate(loss["F32"]).mean())}), flush=True)


if __name__ == "__main__":
    main()
