"""Measures llama.cpp on a language model of DeepSeek-VL2-Tiny's shapes with random weights, without a tower.

    pip install llama-cpp-python gguf numpy
    python llama_cpp_speed.py FOLDER Q4_0 [--threads 2] [--far]

FOLDER keeps the model: 5.8 GB of float16, made once, and 1.6 GB for each kind of 4-bit weights (IQ4_NL takes some
minutes). Prints one JSON object, named as those of `vl2 bench --json`; --far adds writing at context 3,500.
"""

import argparse
import ctypes
import json
import pathlib
import sys
import time

import gguf
import llama_cpp as llama
import numpy as np

from llama_cpp_decoder import Decoder

WIDTH, VOCABULARY, LAYERS, HEADS, DENSE = 1280, 129280, 12, 10, 6848
EXPERTS, PICKED, SHARED, INNER = 64, 6, 2, 896
KINDS = {"Q4_0": 2, "IQ4_NL": 25}  # llama_ftype
CONTEXT = 4096


def write_model(path):
    """Random float16 weights of architecture "deepseek": plain attention, one dense layer, then mixtures of experts."""
    out = gguf.GGUFWriter(path, "deepseek")
    for set_number, value in (
        (out.add_context_length, CONTEXT), (out.add_embedding_length, WIDTH), (out.add_block_count, LAYERS),
        (out.add_feed_forward_length, DENSE), (out.add_head_count, HEADS), (out.add_head_count_kv, HEADS),
        (out.add_rope_dimension_count, WIDTH // HEADS), (out.add_rope_freq_base, 10000.0),
        (out.add_layer_norm_rms_eps, 1e-6), (out.add_vocab_size, VOCABULARY), (out.add_expert_count, EXPERTS),
        (out.add_expert_used_count, PICKED), (out.add_expert_shared_count, SHARED),
        (out.add_expert_feed_forward_length, INNER), (out.add_expert_weights_scale, 1.0),
        (out.add_leading_dense_block_count, 1), (out.add_file_type, int(gguf.LlamaFileType.MOSTLY_F16)),
    ):
        set_number(value)
    out.add_tokenizer_model("no_vocab")

    random = np.random.default_rng(7)
    numbers = (random.standard_normal(1 << 25, dtype=np.float32) * WIDTH**-0.5).astype(np.float16)

    def add(name, *shape, kind=np.float16):
        begin = int(random.integers(0, 1 << 16))
        out.add_tensor(name + ".weight", np.resize(numbers[begin:], shape).astype(kind))

    def add_ones(name):
        out.add_tensor(name + ".weight", np.ones(WIDTH, np.float32))

    add("token_embd", VOCABULARY, WIDTH)
    add("output", VOCABULARY, WIDTH)
    add_ones("output_norm")
    for layer in range(LAYERS):
        at = f"blk.{layer}."
        add_ones(at + "attn_norm")
        add_ones(at + "ffn_norm")
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(at + part, WIDTH, WIDTH)
        groups = [("", (), DENSE)]
        if layer > 0:
            add(at + "ffn_gate_inp", EXPERTS, WIDTH, kind=np.float32)
            groups = [("_exps", (EXPERTS,), INNER), ("_shexp", (), SHARED * INNER)]
        for suffix, many, inner in groups:
            add(f"{at}ffn_gate{suffix}", *many, inner, WIDTH)
            add(f"{at}ffn_up{suffix}", *many, inner, WIDTH)
            add(f"{at}ffn_down{suffix}", *many, WIDTH, inner)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def prepare(folder, kind, threads):
    """The path of the quantised model, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    model, source = folder / f"tiny-{kind}.gguf", folder / "tiny-F16.gguf"
    if model.exists():
        return model
    if not source.exists():
        partial = source.with_suffix(".partial")
        write_model(partial)
        partial.rename(source)
    partial = model.with_suffix(".partial")
    options = llama.llama_model_quantize_default_params()
    options.nthread, options.ftype = threads, KINDS[kind]
    if llama.llama_model_quantize(str(source).encode(), str(partial).encode(), ctypes.byref(options)):
        sys.exit(f"llama_cpp_speed.py: llama.cpp cannot quantise {source} to {kind}")
    partial.rename(model)
    return model


def main():
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folder", type=pathlib.Path)
    asked.add_argument("kind", choices=KINDS)
    asked.add_argument("--threads", type=int, default=2)
    asked.add_argument("--prepare", action="store_true", help="only make the model")
    asked.add_argument("--far", action="store_true", help="writing at context 3,500 too")
    given = asked.parse_args()
    silent = llama.llama_log_callback(lambda level, text, data: None)
    llama.llama_log_set(silent, None)
    path = prepare(given.folder, given.kind, given.threads)
    if given.prepare:
        return

    decoder = Decoder(path, given.threads, CONTEXT)
    tokens = np.random.default_rng(512).integers(2, VOCABULARY, 3500 + 64).tolist()
    # The first run of each is for reading the weights from storage.
    decoder.read(tokens[:64])
    decoder.forget()
    begin = time.perf_counter()
    decoder.read(tokens[:512])
    result = {"name": "llama.cpp", "kind": given.kind, "threads": given.threads,
              "prompt_tokens_per_second": 512 / (time.perf_counter() - begin)}
    decoder.forget()
    decoder.read(tokens[:1])
    decoder.write(tokens[:16])
    decoder.forget()
    decoder.read(tokens[:1])
    result["write_tokens_per_second"] = decoder.write(tokens[:64])
    if given.far:
        decoder.forget()
        decoder.read(tokens[:3500])
        result["write_tokens_per_second_at_3500"] = decoder.write(tokens[3500:])
    print(json.dumps(result))


if __name__ == "__main__":
    main()
