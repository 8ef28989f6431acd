"""Writes a trained state as a checkpoint folder with the published files, names and shapes, in bfloat16.

    python export.py STATE.pt CHECKPOINT --tokenizer tokenizer.json
"""

import argparse
import json
import os
import shutil

import torch
from safetensors.torch import save_file

from model import LanguageConfig, Pocket, VisionConfig
from tiles import CANDIDATES, PATCH, SIDE
from vocabulary import BOS, EOS, PAD, Vocabulary

CONTEXT = 2048
DEMONSTRATION = ("pocket is a small demonstration model: it knows coloured shapes, signs, tables, bar charts "
                 "and receipts drawn by a program, not photos.")


def configs(vision, language):
    resolutions = [list(c) for c in CANDIDATES]
    lm = {"architectures": ["DeepseekV2ForCausalLM"], "model_type": "deepseek_v2", "torch_dtype": "bfloat16",
          **vars(language), "num_key_value_heads": language.num_attention_heads, "bos_token_id": 0, "eos_token_id": 1,
          "max_position_embeddings": CONTEXT, "use_mla": False, "q_lora_rank": None, "kv_lora_rank": None,
          "qk_nope_head_dim": 0, "qk_rope_head_dim": 0, "v_head_dim": 0, "topk_method": "greedy", "n_group": 1,
          "topk_group": 1}
    config = {"architectures": ["DeepseekVLV2ForCausalLM"], "model_type": "deepseek_vl_v2",
              "vl2_demonstration": DEMONSTRATION, "candidate_resolutions": resolutions, "global_view_pos": "head",
              "tile_tag": "2D", "torch_dtype": "bfloat16", "transformers_version": "4.38.2", "language_config": lm,
              "projector_config": {"model_type": "mlp_projector", "n_embed": language.hidden_size,
                                   "input_dim": vision.width},
              "vision_config": {"model_type": "vision", "model_name": "siglip_so400m_patch14_384", "image_size": SIDE,
                                "patch_size": PATCH, "width": vision.width, "layers": vision.layers,
                                "heads": vision.heads, "mlp_ratio": vision.mlp_ratio}}
    processor = {"processor_class": "DeepseekVLV2Processor", "candidate_resolutions": resolutions, "patch_size": PATCH,
                 "downsample_ratio": 2, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "normalize": True,
                 "image_token": "<image>", "pad_token": PAD, "add_special_token": False, "sft_format": "deepseek",
                 "mask_prompt": False, "ignore_id": -100}
    tokenizer = {"tokenizer_class": "LlamaTokenizerFast", "bos_token": BOS, "eos_token": EOS, "pad_token": PAD,
                 "add_bos_token": False, "add_eos_token": False, "model_max_length": CONTEXT,
                 "clean_up_tokenization_spaces": False}
    return {"config.json": config, "processor_config.json": processor, "tokenizer_config.json": tokenizer}


def tensors(model):
    """Published name -> bfloat16 tensor; the word vectors become plain tables."""
    out = {}
    for name, value in model.state_dict().items():
        if name.startswith(("embed_tokens.", "lm_head.")):
            continue
        language = name.startswith("model.")
        out[("language." if language else "") + name] = value
    out["language.model.embed_tokens.weight"] = model.embed_tokens.table()
    out["language.lm_head.weight"] = model.lm_head.table()
    return {name: value.detach().to(torch.bfloat16).contiguous() for name, value in out.items()}


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ask.add_argument("state")
    ask.add_argument("checkpoint")
    ask.add_argument("--tokenizer", required=True)
    got = ask.parse_args()
    vision, language = VisionConfig(), LanguageConfig()
    model = Pocket(vision, language, Vocabulary(got.tokenizer).features())
    model.load_state_dict(torch.load(got.state)["model"])
    os.makedirs(got.checkpoint, exist_ok=True)
    for name, content in configs(vision, language).items():
        with open(os.path.join(got.checkpoint, name), "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1, ensure_ascii=False)
            file.write("\n")
    if not os.path.exists(os.path.join(got.checkpoint, "tokenizer.json")) or not os.path.samefile(
            got.tokenizer, os.path.join(got.checkpoint, "tokenizer.json")):
        shutil.copy(got.tokenizer, os.path.join(got.checkpoint, "tokenizer.json"))
    file = "model-00001-of-000001.safetensors"
    held = tensors(model)
    save_file(held, os.path.join(got.checkpoint, file), metadata={"format": "pt"})
    index = {"metadata": {"total_size": sum(t.numel() * 2 for t in held.values())},
             "weight_map": {name: file for name in held}}
    with open(os.path.join(got.checkpoint, "model.safetensors.index.json"), "w", encoding="utf-8") as out:
        json.dump(index, out, indent=1)
        out.write("\n")
    print(f"{got.checkpoint}: {index['metadata']['total_size']:,} bytes of weights")


if __name__ == "__main__":
    main()
