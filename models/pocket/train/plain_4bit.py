"""Rounds a checkpoint's matrices to plain symmetric 4-bit weights, to see what a simpler code would cost.

    python plain_4bit.py CHECKPOINT OUT

Groups of 32 along a row share one bfloat16 scale, the largest magnitude over 7; the rest of the checkpoint stays as it
is. OUT is a checkpoint again: pack it with `--weights bf16`.
"""

import os
import shutil
import sys

import torch
from safetensors.torch import load_file, save_file

GROUP = 32


def rounded(matrix):
    rows, columns = matrix.shape[0], matrix[0].numel()
    x = matrix.float().reshape(rows, columns)
    x = torch.nn.functional.pad(x, (0, -columns % GROUP)).view(rows, -1, GROUP)
    scale = (x.abs().amax(-1, keepdim=True) / 7).bfloat16().float()
    x = (x / scale.clamp(min=1e-30)).round().clamp(-7, 7) * scale
    return x.view(rows, -1)[:, :columns].reshape(matrix.shape).bfloat16()


def main():
    source, out = sys.argv[1:]
    shutil.copytree(source, out)
    file = os.path.join(out, "model-00001-of-000001.safetensors")
    tensors = load_file(file)
    for name, value in tensors.items():
        # As in the default recipe: matrices but the router, the embedding and the table of positions.
        if value.dim() >= 2 and not name.endswith(("mlp.gate.weight", "embed_tokens.weight", "pos_embed")):
            tensors[name] = rounded(value)
    save_file(tensors, file, metadata={"format": "pt"})


if __name__ == "__main__":
    main()
