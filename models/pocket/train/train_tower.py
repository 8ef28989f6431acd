"""Stage 1: teaches the vision tower alone what every patch of a drawn tile shows.

    python train_tower.py STATE.pt --minutes 8 --easy
    python train_tower.py STATE.pt --minutes 14

Writes STATE.pt (weights of tower and heads, optimiser, step) every few minutes and goes on from it if it is there.
"""

import argparse
import os
import random
import time

import numpy as np
import torch

import scenes
from model import LanguageConfig, PatchHeads, VisionConfig, VisionTower
from targets import HEADS, WEIGHTS, patch_targets
from tiles import views

KINDS = {"shapes": 5, "sign": 4, "page": 9, "table": 2, "chart": 2, "receipt": 2}
EASY_KINDS = {"shapes": 2, "page": 8}     # with --easy, and one font: letters are told apart in minutes, not hours
LARGE = 0.12


class DrawnTiles(torch.utils.data.IterableDataset):
    """Endless batches of (tiles, classes, boxes); each worker has a seed of its own."""

    def __init__(self, seed, batch, easy):
        self.seed, self.batch, self.easy = seed, batch, easy

    def __iter__(self):
        info = torch.utils.data.get_worker_info()
        torch.set_num_threads(1)
        rng = random.Random(f"tower {self.seed} {info.id if info else 0}")
        waiting = []
        kinds = EASY_KINDS if self.easy else KINDS
        if self.easy:
            del scenes.FONTS[1:]
        while True:
            while len(waiting) < self.batch:
                kind = rng.choices(list(kinds), list(kinds.values()))[0]
                scene = scenes.draw_scene(rng, kind, large=rng.random() < LARGE)
                if not scene.labelled:
                    continue
                for view in views(scene.image)[0]:
                    waiting.append((view.pixels, *patch_targets(scene, view)[:2]))
            now, waiting = waiting[:self.batch], waiting[self.batch:]
            yield tuple(torch.from_numpy(np.stack(part)) for part in zip(*now))


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ask.add_argument("state")
    ask.add_argument("--minutes", type=float, default=25)
    ask.add_argument("--batch", type=int, default=16)
    ask.add_argument("--rate", type=float, default=1.5e-3)
    ask.add_argument("--seed", type=int, default=1)
    ask.add_argument("--easy", action="store_true", help="shapes and pages of one font: for the first minutes")
    got = ask.parse_args()
    torch.manual_seed(got.seed)
    tower, heads = VisionTower(VisionConfig()), PatchHeads(VisionConfig().width, LanguageConfig().hidden_size, HEADS)
    parameters = list(tower.parameters()) + list(heads.parameters())
    optimiser = torch.optim.AdamW(parameters, lr=got.rate, betas=(0.9, 0.98), weight_decay=0.02, fused=True)
    step = 0
    if os.path.exists(got.state):
        saved = torch.load(got.state)
        tower.load_state_dict(saved["tower"])
        heads.load_state_dict(saved["heads"])
        optimiser.load_state_dict(saved["optimiser"])
        step = saved["step"]
        print(f"goes on from step {step}", flush=True)
    loader = iter(torch.utils.data.DataLoader(DrawnTiles(got.seed + step, got.batch, got.easy), batch_size=None, num_workers=1,
                                              prefetch_factor=6))
    if step == 0:
        tower.patch_embed.whiten(torch.cat([next(loader)[0] for _ in range(16)]))
    start, seen, mean, first = time.time(), 0, None, step
    saved_at = start

    def save():
        torch.save({"tower": tower.state_dict(), "heads": heads.state_dict(), "optimiser": optimiser.state_dict(),
                    "step": step}, got.state + ".part")
        os.replace(got.state + ".part", got.state)

    while True:
        share = (time.time() - start) / (got.minutes * 60)
        if share >= 1:
            break
        # Warm-up, then a straight line down to a twentieth, over the time that is given.
        rate = got.rate * min(1, (step - first + 1) / 100) * max(0.05, 1 - share)
        for group in optimiser.param_groups:
            group["lr"] = rate
        tiles, classes, boxes = next(loader)
        with torch.autocast("cpu", torch.bfloat16):
            loss = heads.loss(tower(tiles), classes, boxes, WEIGHTS)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        step += 1
        seen += len(tiles)
        mean = loss.item() if mean is None else 0.98 * mean + 0.02 * loss.item()
        if step % 50 == 0:
            print(f"{time.time() - start:6.0f} s  step {step:6d}  loss {mean:7.3f}  {seen / (time.time() - start):6.1f} "
                  f"tiles/s", flush=True)
        if step % 400 == 0:
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                logits = heads.classes(tower(tiles)).split(heads.sizes, -1)
            right = []
            for i, (name, part) in enumerate(zip(HEADS, logits)):
                known = classes[..., i] > 0
                right.append(f"{name} {(part.argmax(-1) == classes[..., i])[known].float().mean():.3f}")
            print("   right where something is:", ", ".join(right), flush=True)
        if time.time() - saved_at > 180:
            save()
            saved_at = time.time()
    save()
    print(f"done: step {step}, {seen} tiles in {time.time() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
