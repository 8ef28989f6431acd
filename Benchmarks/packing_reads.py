#!/usr/bin/env python3
"""How many bytes packing reads, of a sparse checkpoint with the names, shapes and order of a published one.

    python3 Benchmarks/packing_reads.py small              # what packing reads, against the source's size
    python3 Benchmarks/packing_reads.py base --wrong       # how soon one wrong shape is refused

Shards are filled as save_pretrained() fills them (layers and experts in the order of their numbers, until a shard is
full), and written as safetensors writes them (sorted by name inside a shard: layers 1, 10, 11, 2). All weights are zero
and take no room on the disk; the packed file does: 9 GB for Small. --layers N makes the model lower.
"""

import argparse
import json
import os
import shutil
import struct
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TEXTS = os.path.join(HERE, "../Tests/TestSupport/Fixtures/golden/checkpoints/nano-mha")

# config.json of deepseek-ai/deepseek-vl2-tiny, -small and deepseek-vl2.
SIZES = {
    "tiny": dict(
        hidden_size=1280, vocab_size=129280, intermediate_size=6848, moe_intermediate_size=896, num_hidden_layers=12,
        num_attention_heads=10, num_key_value_heads=10, n_routed_experts=64, topk_method="greedy", use_mla=False),
    "small": dict(
        hidden_size=2048, vocab_size=102400, intermediate_size=10944, moe_intermediate_size=1408, num_hidden_layers=27,
        num_attention_heads=16, num_key_value_heads=16, n_routed_experts=64, topk_method="greedy", use_mla=True),
    "base": dict(
        hidden_size=2560, vocab_size=129280, intermediate_size=12288, moe_intermediate_size=1536, num_hidden_layers=30,
        num_attention_heads=32, num_key_value_heads=32, n_routed_experts=72, topk_method="noaux_tc",
        scoring_func="sigmoid", norm_topk_prob=True, routed_scaling_factor=2.0, use_mla=True),
}
TOWER = dict(width=1152, layers=27, heads=16, image_size=384, patch_size=14, mlp_ratio=3.7362)
SHARD = 5_000_000_000


def config(size, layers):
    language = dict(
        SIZES[size], model_type="deepseek_v2", n_shared_experts=2, num_experts_per_tok=6, first_k_dense_replace=1,
        n_group=1, topk_group=1, bos_token_id=0, eos_token_id=1, max_position_embeddings=4096, q_lora_rank=None)
    if layers:
        language["num_hidden_layers"] = layers
    if language["use_mla"]:
        language.update(kv_lora_rank=512, qk_nope_head_dim=128, qk_rope_head_dim=64, v_head_dim=128)
    return dict(
        architectures=["DeepseekVLV2ForCausalLM"], model_type="deepseek_vl_v2", tile_tag="2D", global_view_pos="head",
        candidate_resolutions=[[384, 384], [384, 768]], language_config=language,
        projector_config=dict(model_type="mlp_projector", n_embed=language["hidden_size"], input_dim=1152),
        vision_config=TOWER)


def tensors(language):
    """Names and shapes in the order of the model's parts."""
    width, inner = TOWER["width"], int(TOWER["width"] * TOWER["mlp_ratio"])
    hidden, words = language["hidden_size"], language["vocab_size"]

    def linear(name, rows, columns):
        yield name + ".weight", [rows, columns]
        yield name + ".bias", [rows]

    def norm(name):
        yield name + ".weight", [width]
        yield name + ".bias", [width]

    def gated(name, rows):
        yield name + ".gate_proj.weight", [rows, hidden]
        yield name + ".up_proj.weight", [rows, hidden]
        yield name + ".down_proj.weight", [hidden, rows]

    yield "image_newline", [hidden]
    yield "view_seperator", [hidden]
    yield "vision.pos_embed", [1, 27 * 27, width]
    yield "vision.patch_embed.proj.weight", [width, 3, 14, 14]
    yield "vision.patch_embed.proj.bias", [width]
    for block in range(TOWER["layers"]):
        name = f"vision.blocks.{block}."
        yield from norm(name + "norm1")
        yield from linear(name + "attn.qkv", 3 * width, width)
        yield from linear(name + "attn.proj", width, width)
        yield from norm(name + "norm2")
        yield from linear(name + "mlp.fc1", inner, width)
        yield from linear(name + "mlp.fc2", width, inner)
    yield from norm("vision.norm")
    yield from linear("projector.layers.0", hidden, 4 * width)
    yield from linear("projector.layers.2", hidden, hidden)
    yield "language.model.embed_tokens.weight", [words, hidden]
    heads = language["num_attention_heads"]
    for layer in range(language["num_hidden_layers"]):
        name = f"language.model.layers.{layer}."
        attention = name + "self_attn."
        if language["use_mla"]:
            yield attention + "q_proj.weight", [heads * 192, hidden]
            yield attention + "kv_a_proj_with_mqa.weight", [576, hidden]
            yield attention + "kv_a_layernorm.weight", [512]
            yield attention + "kv_b_proj.weight", [heads * 256, 512]
            yield attention + "o_proj.weight", [hidden, heads * 128]
        else:
            for part in "qkvo":
                yield f"{attention}{part}_proj.weight", [hidden, hidden]
        if layer == 0:
            yield from gated(name + "mlp", language["intermediate_size"])
        else:
            for expert in range(language["n_routed_experts"]):
                yield from gated(f"{name}mlp.experts.{expert}", language["moe_intermediate_size"])
            yield name + "mlp.gate.weight", [language["n_routed_experts"], hidden]
            if language["topk_method"] == "noaux_tc":
                yield name + "mlp.gate.e_score_correction_bias", [language["n_routed_experts"]]
            yield from gated(name + "mlp.shared_experts", 2 * language["moe_intermediate_size"])
        yield name + "input_layernorm.weight", [hidden]
        yield name + "post_attention_layernorm.weight", [hidden]
    yield "language.model.norm.weight", [hidden]
    yield "language.lm_head.weight", [words, hidden]


def size_of(shape):
    count = 2  # BF16
    for extent in shape:
        count *= extent
    return count


def write_checkpoint(folder, size, layers, wrong):
    """Writes it and returns the bytes of its shards."""
    texts = config(size, layers)
    with open(folder + "/config.json", "w") as file:
        json.dump(texts, file)
    with open(folder + "/processor_config.json", "w") as file:
        json.dump({"candidate_resolutions": texts["candidate_resolutions"]}, file)
    for name in ["tokenizer.json", "tokenizer_config.json"]:
        shutil.copy(os.path.join(TEXTS, name), folder)
    shards, room = [], 0
    for name, shape in tensors(texts["language_config"]):
        if wrong and name.endswith("layers.20.mlp.experts.31.down_proj.weight"):
            shape = shape[::-1]
        if not shards or size_of(shape) > room:
            shards.append([])
            room = SHARD
        shards[-1].append((name, shape))
        room -= size_of(shape)
    places, total = {}, 0
    for index, shard in enumerate(shards):
        file_name = f"model-{index + 1:05}-of-{len(shards):05}.safetensors"
        header, offset = {}, 0
        for name, shape in sorted(shard):
            header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + size_of(shape)]}
            offset += size_of(shape)
            places[name] = file_name
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with open(f"{folder}/{file_name}", "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            file.truncate(8 + len(text) + offset)
        total += 8 + len(text) + offset
    with open(folder + "/model.safetensors.index.json", "w") as file:
        json.dump({"metadata": {"total_size": total}, "weight_map": places}, file)
    return total


def run(words):
    """Runs a program: its status, its seconds, the bytes that it asked to read, and its largest memory."""
    start = time.monotonic()
    pid = os.posix_spawn(words[0], words, os.environ)
    # It has ended but is still there to be looked at.
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    seconds = time.monotonic() - start
    with open(f"/proc/{pid}/io") as file:
        counts = dict(line.split(": ") for line in file)
    _, status, usage = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), seconds, int(counts["rchar"]), usage.ru_maxrss << 10


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("--program", default=os.path.join(HERE, "../.build/release/vl2-convert"))
    parser.add_argument("--layers", type=int, help="fewer layers than published")
    parser.add_argument("--wrong", action="store_true", help="one expert's matrix has a wrong shape")
    parser.add_argument("--folder", help="where to work; default: a temporary folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        os.mkdir(folder + "/ck")
        total = write_checkpoint(folder + "/ck", given.size, given.layers, given.wrong)
        words = [given.program, "pack", folder + "/ck", "-o", folder + "/model.vl2q"]
        status, seconds, read, memory = run(words)
        print(
            f"status {status}, {seconds:.2f} s, read {read:,} bytes of {total:,}: {read / total:.4f}, "
            f"memory {memory / 2**30:.2f} GiB")
        return 0 if (status == 65) == given.wrong else 1


if __name__ == "__main__":
    sys.exit(main())
