"""Measures llama.cpp on a language model of DeepSeek-VL2-Small's shapes with random weights, without a tower.

    pip install llama-cpp-python gguf numpy
    python llama_cpp_small.py FOLDER [--threads 2] [--prepare]

FOLDER keeps the model, 8.3 GiB. It is written as Q4_0 at once, without float16 weights to quantise: blocks of 32
weights, 16 random bytes behind a scale that gives weights of the usual size. Prints one JSON object, named as those of
`vl2 bench --json`.
"""

import argparse
import json
import pathlib
import time

import gguf
import llama_cpp as llama
import numpy as np

from llama_cpp_decoder import Decoder

WIDTH, VOCABULARY, LAYERS, HEADS, DENSE = 2048, 102400, 27, 16, 10944
RANK, NOPE, ROPE, VALUE = 512, 128, 64, 128
EXPERTS, PICKED, SHARED, INNER = 64, 6, 2, 1408
CONTEXT, WRITTEN = 4096, 32
Q4_0 = gguf.GGMLQuantizationType.Q4_0
BLOCK, BLOCK_BYTES = 32, 18


def random_blocks(count):
    """Q4_0: a float16 scale, then 32 numbers of 4 bits, of which 8 stands for 0."""
    random = np.random.default_rng(7)
    blocks = random.integers(0, 256, (count, BLOCK_BYTES), dtype=np.uint8)
    # Numbers of 4 bits at random have a deviation of 4.6.
    scales = (random.uniform(0.5, 1.5, count) * WIDTH**-0.5 / 4.6).astype(np.float16)
    blocks[:, :2] = scales.view(np.uint8).reshape(count, 2)
    return blocks


def write_model(path):
    """Architecture "deepseek2": latent attention with the products of its latents apart, as llama.cpp converts it."""
    out = gguf.GGUFWriter(path, "deepseek2")
    for set_number, value in (
        (out.add_context_length, CONTEXT), (out.add_embedding_length, WIDTH), (out.add_block_count, LAYERS),
        (out.add_feed_forward_length, DENSE), (out.add_head_count, HEADS), (out.add_head_count_kv, 1),
        (out.add_rope_dimension_count, ROPE), (out.add_rope_freq_base, 10000.0),
        (out.add_layer_norm_rms_eps, 1e-6), (out.add_vocab_size, VOCABULARY), (out.add_kv_lora_rank, RANK),
        (out.add_key_length, RANK + ROPE), (out.add_value_length, RANK), (out.add_key_length_mla, NOPE + ROPE),
        (out.add_value_length_mla, VALUE), (out.add_expert_count, EXPERTS), (out.add_expert_used_count, PICKED),
        (out.add_expert_shared_count, SHARED), (out.add_expert_feed_forward_length, INNER),
        (out.add_expert_weights_scale, 1.0), (out.add_leading_dense_block_count, 1),
        (out.add_expert_gating_func, gguf.ExpertGatingFuncType.SOFTMAX),
        (out.add_file_type, int(gguf.LlamaFileType.MOSTLY_Q4_0)),
    ):
        set_number(value)
    out.add_tokenizer_model("no_vocab")

    # The largest matrices are slices of one pool; the file has bytes of its own for each.
    pool = random_blocks((1 << 23) + max(EXPERTS * INNER, VOCABULARY) * WIDTH // BLOCK)
    random = np.random.default_rng(8)

    def add(name, *shape):
        count = int(np.prod(shape)) // BLOCK
        begin = int(random.integers(0, 1 << 23))
        rows = pool[begin:begin + count].reshape(*shape[:-1], shape[-1] // BLOCK * BLOCK_BYTES)
        out.add_tensor(name + ".weight", rows, raw_dtype=Q4_0)

    def add_ones(name, width=WIDTH):
        out.add_tensor(name + ".weight", np.ones(width, np.float32))

    add("token_embd", VOCABULARY, WIDTH)
    add("output", VOCABULARY, WIDTH)
    add_ones("output_norm")
    for layer in range(LAYERS):
        at = f"blk.{layer}."
        add_ones(at + "attn_norm")
        add_ones(at + "ffn_norm")
        add(at + "attn_q", HEADS * (NOPE + ROPE), WIDTH)
        add(at + "attn_kv_a_mqa", RANK + ROPE, WIDTH)
        add_ones(at + "attn_kv_a_norm", RANK)
        add(at + "attn_k_b", HEADS, RANK, NOPE)
        add(at + "attn_v_b", HEADS, VALUE, RANK)
        add(at + "attn_output", WIDTH, HEADS * VALUE)
        groups = [("", (), DENSE)]
        if layer > 0:
            router = random.standard_normal((EXPERTS, WIDTH), dtype=np.float32) * WIDTH**-0.5
            out.add_tensor(at + "ffn_gate_inp.weight", router)
            groups = [("_exps", (EXPERTS,), INNER), ("_shexp", (), SHARED * INNER)]
        for suffix, many, inner in groups:
            add(f"{at}ffn_gate{suffix}", *many, inner, WIDTH)
            add(f"{at}ffn_up{suffix}", *many, inner, WIDTH)
            add(f"{at}ffn_down{suffix}", *many, WIDTH, inner)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def main():
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folder", type=pathlib.Path)
    asked.add_argument("--threads", type=int, default=2)
    asked.add_argument("--prepare", action="store_true", help="only make the model")
    given = asked.parse_args()
    silent = llama.llama_log_callback(lambda level, text, data: None)
    llama.llama_log_set(silent, None)
    given.folder.mkdir(parents=True, exist_ok=True)
    path = given.folder / "small-Q4_0.gguf"
    if not path.exists():
        partial = path.with_suffix(".partial")
        write_model(partial)
        partial.rename(path)
    if given.prepare:
        return

    decoder = Decoder(path, given.threads, 1024)
    tokens = np.random.default_rng(512).integers(2, VOCABULARY, 512).tolist()
    # What comes first reads the weights from storage.
    decoder.read(tokens[:64])
    decoder.forget()
    begin = time.perf_counter()
    decoder.read(tokens)
    result = {"name": "llama.cpp", "kind": "Q4_0", "threads": given.threads,
              "prompt_tokens_per_second": len(tokens) / (time.perf_counter() - begin)}
    decoder.forget()
    decoder.read(tokens[:1])
    decoder.write(tokens[:16])
    decoder.forget()
    decoder.read(tokens[:1])
    result["write_tokens_per_second"] = decoder.write(tokens[:WRITTEN])
    print(json.dumps(result))


if __name__ == "__main__":
    main()
