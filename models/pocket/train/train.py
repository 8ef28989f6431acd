"""Stage 2: teaches the whole model to answer questions about drawn pictures.

    python train.py STATE.pt --tower TOWER.pt --tokenizer tokenizer.json --minutes 60

Writes STATE.pt every few minutes and goes on from it if it is there; then --tower is not read. Without a state,
--checkpoint goes on from an exported checkpoint. The lines it prints are
the curve: the share of answers to pictures never seen before of which every word is right (a coordinate counts as
right within 4 % of the picture's side).
"""

import argparse
import os
import random
import time
from collections import defaultdict

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

import questions
from exercises import exercises, written
from model import BLOCK, LanguageConfig, PatchHeads, Pocket, VisionConfig, cell_word_loss
from prompts import EXERCISE, WRITTEN, collate, embedded, make_sample, visible
from scenes import draw_scene
from targets import HEADS, WEIGHTS, CellWords, patch_targets
from vocabulary import Vocabulary

KINDS = {"shapes": 9, "sign": 2, "table": 5, "chart": 1.5, "receipt": 2.5}
# How often a task is asked where it can be. Those that come first in the project's list weigh most.
ASKED = {"naming": 1, "count": 3.5, "colour": 2, "relation": 4, "yes-no": 2, "word": 1.5, "number": 3, "table": 9, "bar": 2,
         "total": 1.5, "json": 7, "ground": 5, "grounded-caption": 6, "caption": 2, "follow-up": 3}
WRITE = 0.5               # share of the pictures with a question from `written`
WIDE = 0.22               # share of the batches with two pictures, or one that is cut into tiles
QUESTION_WORDS = 230      # of all questions about a picture together
DENSE = 0.06              # of the tower's dense targets in the loss
ALIGN = 0.3               # of the words that picture rows should resemble, and of the coordinates and numbers they should tell
COORDINATE_SPREAD = 6.0   # standard deviation of the soft target around a coordinate, in thousandths of a side


def conversations_about(rng, scenes, vocabulary, words=QUESTION_WORDS):
    """Questions until their words are used up."""
    out, used = [], 0
    tries = 0
    while used < words and tries < 24:
        tries += 1
        if len(scenes) == 2:
            task, turns = "two-pictures", questions.ask(rng, scenes, "two-pictures")
        else:
            task = rng.choices(list(ASKED), list(ASKED.values()))[0]
            turns = questions.ask(rng, scenes[0], task, tries=1)
        if turns and (task, turns) not in out:
            out.append((task, turns))
            used += 12 + sum(len(vocabulary.encode(a)) for _, a in turns) + 10 * (len(turns) - 1)
    return out


class AskedPictures(torch.utils.data.IterableDataset):
    """Endless batches; the first `easy` pictures are small and show little."""

    def __init__(self, seed, batch, tokenizer, easy):
        self.seed, self.batch, self.tokenizer, self.easy = seed, batch, tokenizer, easy

    def sample(self, rng, vocabulary, easy, wide):
        """(scenes, Sample), or None. `wide`: two pictures, or one that is cut into tiles."""
        if wide and rng.random() < 0.45:
            scenes = [draw_scene(rng, rng.choice(["shapes", "shapes", "sign"])) for _ in range(2)]
        else:
            kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
            options = {"most": 3} if easy and kind == "shapes" else {}
            scenes = [draw_scene(rng, kind, large=wide, **options)]
        asked = conversations_about(rng, scenes, vocabulary)
        if not asked:
            return None
        if len(scenes) == 1:
            asked += [(EXERCISE, [pair]) for pair in exercises(rng, scenes[0])]
            if rng.random() < WRITE:
                asked.append((WRITTEN, [written(rng, scenes[0])]))
        return scenes, make_sample(vocabulary, [s.image for s in scenes], asked)

    def __iter__(self):
        info = torch.utils.data.get_worker_info()
        torch.set_num_threads(1)
        vocabulary = Vocabulary(self.tokenizer)
        words_of = CellWords(vocabulary)
        rng = random.Random(f"questions {self.seed} {info.id if info else 0}")
        drawn = 0
        while True:
            samples, dense = [], []
            easy = drawn < self.easy
            # Prompts with many rows come in smaller batches of their own, so that little is padded.
            wide = not easy and rng.random() < WIDE
            while len(samples) < (self.batch * 2 // 5 if wide else self.batch):
                made = self.sample(rng, vocabulary, easy, wide)
                if made:
                    drawn += 1
                    scenes, sample = made
                    samples.append(sample)
                    dense += [patch_targets(scene, view) for scene, picture in zip(scenes, sample.pictures)
                              for view in picture]
            batch = collate(samples)
            batch["image"] = vocabulary.image
            batch["cell words"] = torch.from_numpy(np.stack([words_of(d[0], d[3]) for d in dense]))
            batch["dense"] = [torch.from_numpy(np.stack(part)) for part in zip(*dense)]
            yield batch


class AnswerLoss:
    """Cross entropy over the answers' words; a coordinate's target is spread over its neighbours."""

    def __init__(self, vocabulary):
        self.numbers = torch.tensor(vocabulary.numbers)
        self.value = torch.full((max(vocabulary.numbers) + 1,), -1)
        self.value[self.numbers] = torch.arange(1000)
        self.open, self.close = vocabulary.detection
        d = torch.arange(1000)
        spread = torch.exp(-0.5 * ((d[:, None] - d[None]) / COORDINATE_SPREAD) ** 2)
        self.spread = spread / spread.sum(1, keepdim=True)

    def __call__(self, model, hidden, batch):
        """hidden [answer rows and padding, hidden] -> (loss, {task: [right, asked]})."""
        rows = answer_rows(batch)
        target, weight = batch["targets"].flatten()[rows], batch["weights"].flatten()[rows]
        logits = F.linear(hidden, model.lm_head.table()).float()[:len(rows)]
        ids, segments = batch["ids"], batch["segments"]
        inside = ((ids == self.open).cumsum(1) > (ids == self.close).cumsum(1)).flatten()[rows]
        value = self.value[target.clamp(max=len(self.value) - 1)]
        value[target >= len(self.value)] = -1
        coordinate = inside & (value >= 0)
        logp = logits.log_softmax(-1)
        loss = -logp.gather(1, target[:, None])[:, 0]
        if coordinate.any():
            soft = -(self.spread[value[coordinate]] * logp[coordinate][:, self.numbers]).sum(1)
            loss = loss.index_copy(0, coordinate.nonzero()[:, 0], soft)
        total = (loss * weight).sum() / weight.sum()

        best = logits.argmax(-1)
        right = best == target
        near = self.value[best.clamp(max=len(self.value) - 1)]
        right = torch.where(coordinate, (near >= 0) & ((near - value).abs() <= 40), right)
        score = defaultdict(lambda: [0, 0])
        sample, question = rows // ids.shape[1], segments.flatten()[rows]
        wrong = set(zip(sample[~right].tolist(), question[~right].tolist()))
        for i, tasks in enumerate(batch["tasks"]):
            for q, task in enumerate(tasks):
                score[task][0] += (i, q + 1) not in wrong
                score[task][1] += 1
        return total, score


def answer_rows(batch):
    """Of the rows of the whole batch those that are followed by a word of an answer."""
    return (batch["targets"] >= 0).flatten().nonzero()[:, 0]


def forward(model, batch, teach_tower):
    """-> (tower features, projected cells, normalised answer rows of the language model, filled up to whole blocks)."""
    with torch.set_grad_enabled(teach_tower):
        features = model.vision(batch["tiles"])
    cells = model.projector(features)
    x = embedded(model, batch, cells)
    rows = answer_rows(batch)
    rows = F.pad(rows, (0, -len(rows) % BLOCK))
    return features, cells, model.model(x, batch["positions"], visible(batch["segments"]).to(x.dtype), rows)


def balance(model):
    return sum(layer.mlp.balance for layer in model.model.layers if hasattr(layer.mlp, "balance"))


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ask.add_argument("state")
    ask.add_argument("--tower")
    ask.add_argument("--checkpoint", help="a folder that export.py wrote")
    ask.add_argument("--tokenizer", required=True)
    ask.add_argument("--minutes", type=float, default=60)
    ask.add_argument("--batch", type=int, default=8)
    ask.add_argument("--rate", type=float, default=7e-4)
    ask.add_argument("--floor", type=float, default=0.03, help="the last rate, as a share of the first")
    ask.add_argument("--easy", type=int, default=3000, help="pictures at the start that show little")
    ask.add_argument("--keep-tower", action="store_true", help="teach the language model only, a quarter faster")
    ask.add_argument("--seed", type=int, default=1)
    got = ask.parse_args()
    torch.manual_seed(got.seed)
    vocabulary = Vocabulary(got.tokenizer)
    model = Pocket(VisionConfig(), LanguageConfig(), vocabulary.features())
    heads = PatchHeads(VisionConfig().width, LanguageConfig().hidden_size, HEADS)
    step, pictures = 0, 0
    saved = torch.load(got.state) if os.path.exists(got.state) else None
    if saved is None and got.tower:
        tower = torch.load(got.tower)
        model.vision.load_state_dict(tower["tower"])
        heads.load_state_dict(tower["heads"])
    elif saved is None and got.checkpoint:
        model.take(load_file(os.path.join(got.checkpoint, "model-00001-of-000001.safetensors")))
    tower_side = list(model.vision.parameters()) + list(heads.parameters())
    known = {id(p) for p in tower_side}
    rest = [p for p in model.parameters() if id(p) not in known]
    groups = [{"params": tower_side, "share": 0.4}, {"params": rest, "share": 1.0}]
    optimiser = torch.optim.AdamW(groups, lr=got.rate, betas=(0.9, 0.98), weight_decay=0.02, fused=True)
    if saved:
        model.load_state_dict(saved["model"])
        heads.load_state_dict(saved["heads"])
        optimiser.load_state_dict(saved["optimiser"])
        for group, share in zip(optimiser.param_groups, (0.4, 1.0)):
            group["share"] = share
        step, pictures = saved["step"], saved["pictures"]
        print(f"goes on from step {step}, {pictures} pictures", flush=True)
    easy = max(0, got.easy - pictures)
    loader = iter(torch.utils.data.DataLoader(AskedPictures(f"{got.seed} {step}", got.batch, got.tokenizer, easy),
                                              batch_size=None, num_workers=1, prefetch_factor=6))
    loss_of = AnswerLoss(vocabulary)
    cell_weights = torch.from_numpy(CellWords.WEIGHTS)
    parameters = tower_side + rest
    start, first, before = time.time(), step, pictures
    saved_at, score, mean = start, defaultdict(lambda: [0, 0]), None
    model.train()

    def save():
        torch.save({"model": model.state_dict(), "heads": heads.state_dict(), "optimiser": optimiser.state_dict(),
                    "step": step, "pictures": pictures}, got.state + ".part")
        os.replace(got.state + ".part", got.state)

    while True:
        share = (time.time() - start) / (got.minutes * 60)
        if share >= 1:
            break
        rate = got.rate * min(1, (step - first + 1) / 150) * max(got.floor, 1 - share)
        for group in optimiser.param_groups:
            group["lr"] = rate * group["share"]
        batch = next(loader)
        with torch.autocast("cpu", torch.bfloat16):
            features, cells, hidden = forward(model, batch, not got.keep_tower)
            answer, right = loss_of(model, hidden, batch)
            aligned = cell_word_loss(cells, batch["cell words"], cell_weights, model.embed_tokens.table())
            classes, boxes, places, _, counted = batch["dense"]
            numbers = model.lm_head.table()[loss_of.numbers]
            placed = heads.place_loss(cells, places, loss_of.spread, numbers)
            counted = heads.number_loss(cells, counted, numbers)
            loss = answer + ALIGN * (aligned + placed + counted) + 0.01 * balance(model)
            if not got.keep_tower:
                loss = loss + DENSE * heads.loss(features, classes, boxes, WEIGHTS)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        step += 1
        pictures += len(batch["tasks"])
        mean = answer.item() if mean is None else 0.98 * mean + 0.02 * answer.item()
        for task, (r, n) in right.items():
            score[task][0] += r
            score[task][1] += n
        if step % 100 == 0:
            done, asked = (sum(v[i] for t, v in score.items() if t not in (EXERCISE, WRITTEN)) for i in (0, 1))
            print(f"{time.time() - start:6.0f} s  step {step:6d}  pictures {pictures:7d}  loss {mean:6.3f} {aligned.item():6.3f} {placed.item():6.3f} {counted.item():6.3f}  right "
                  f"{done / asked:.3f}  "
                  f"{(pictures - before) / (time.time() - start):5.1f} pictures/s", flush=True)
        if step % 500 == 0:
            print("   " + "  ".join(f"{t} {r / n:.2f}" for t, (r, n) in sorted(score.items())), flush=True)
        if step % 100 == 0:
            score = defaultdict(lambda: [0, 0]) if step % 500 == 0 else score
        if time.time() - saved_at > 240:
            save()
            saved_at = time.time()
    save()
    print(f"done: step {step}, {pictures} pictures in {time.time() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
