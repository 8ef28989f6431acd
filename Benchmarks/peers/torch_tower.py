"""Measures PyTorch on the vision tower of DeepSeek-VL2 (SigLIP so400m, one tile of 384 x 384) with random weights.

    pip install torch
    python torch_tower.py [--threads 2] [--runs 3]

Prints one JSON object with the median, named as in `vl2 bench --json`. The tower is in bfloat16, which is the faster one
where processors have instructions for it; --float32 measures the other.
"""

import argparse
import json
import statistics
import time

import torch
from torch import nn
from torch.nn import functional

WIDTH, HEADS, LAYERS, INNER, PATCH, SIDE = 1152, 16, 27, 4304, 14, 384


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH, eps=1e-6), nn.LayerNorm(WIDTH, eps=1e-6)
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.fc1, self.fc2 = nn.Linear(WIDTH, INNER), nn.Linear(INNER, WIDTH)

    def forward(self, x):
        tiles, patches, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(tiles, patches, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(q, k, v)
        x = x + self.proj(attended.transpose(1, 2).reshape(tiles, patches, WIDTH))
        return x + self.fc2(functional.gelu(self.fc1(self.norm2(x)), approximate="tanh"))


class Tower(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Conv2d(3, WIDTH, PATCH, stride=PATCH)
        self.positions = nn.Parameter(torch.randn(1, (SIDE // PATCH) ** 2, WIDTH) * 0.02)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)

    def forward(self, tiles):
        return self.norm(self.blocks(self.embed(tiles).flatten(2).transpose(1, 2) + self.positions))


def main():
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--threads", type=int, default=2)
    asked.add_argument("--runs", type=int, default=3)
    asked.add_argument("--float32", action="store_true")
    given = asked.parse_args()
    torch.set_num_threads(given.threads)
    kind = torch.float32 if given.float32 else torch.bfloat16
    tower, times = Tower().eval().to(kind), []
    with torch.inference_mode():
        tile = torch.randn(1, 3, SIDE, SIDE).to(kind)
        for _ in range(given.runs + 1):
            begin = time.perf_counter()
            tower(tile)
            times.append(time.perf_counter() - begin)
    print(json.dumps({"name": "PyTorch", "kind": str(kind)[6:], "threads": given.threads,
                      "tile_seconds": statistics.median(times[1:])}))


if __name__ == "__main__":
    main()
