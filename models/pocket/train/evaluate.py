"""Counts right answers of a checkpoint by task, with PyTorch in float32, by the rules of docs/EVALUATING.md.

    python evaluate.py CHECKPOINT ITEMS.jsonl [--json] [--experts]

`vl2 eval --exact` on the same checkpoint packed with `--weights bf16` has to agree. --experts also prints how often
each expert of each layer was picked.
"""

import argparse
import json
import os
import re
import sys
from collections import defaultdict

import torch
from PIL import Image
from safetensors.torch import load_file

from model import LanguageConfig, Pocket, VisionConfig, rotated
from prompts import picture_prefix, question_ids
from tiles import views
from vocabulary import SIZE, Vocabulary


def load(checkpoint):
    """-> (model in float32, vocabulary) of a folder that export.py wrote."""
    vocabulary = Vocabulary(os.path.join(checkpoint, "tokenizer.json"))
    model = Pocket(VisionConfig(), LanguageConfig(), torch.zeros(SIZE, 1))
    model.take(load_file(os.path.join(checkpoint, "model-00001-of-000001.safetensors")))
    return model.eval(), vocabulary


class Reader:
    """Keys and values of what was read, so that each row is worked out once."""

    def __init__(self, model):
        self.model, self.picks = model, None
        self.kept = [None] * len(model.model.layers)

    def fork(self):
        other = Reader(self.model)
        other.kept, other.picks = list(self.kept), self.picks
        return other

    def read(self, x):
        """Rows [rows, hidden] after what was read -> logits of the last one."""
        decoder = self.model.model
        start = 0 if self.kept[0] is None else self.kept[0][0].shape[2]
        positions = torch.arange(start, start + len(x))
        angle = positions[:, None] * decoder.frequency
        cos, sin = angle.cos(), angle.sin()
        x = x[None]
        future = torch.arange(start + x.shape[1]) > positions[:, None]
        for i, layer in enumerate(decoder.layers):
            a = layer.self_attn
            y = layer.input_layernorm(x)
            q, k, v = (p(y).view(1, x.shape[1], a.heads, -1).transpose(1, 2) for p in (a.q_proj, a.k_proj, a.v_proj))
            q, k = rotated(q, cos, sin), rotated(k, cos, sin)
            if self.kept[i] is not None:
                k, v = torch.cat([self.kept[i][0], k], 2), torch.cat([self.kept[i][1], v], 2)
            self.kept[i] = k, v
            scores = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).masked_fill(future, float("-inf"))
            x = x + a.o_proj((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))
            x = x + layer.mlp(layer.post_attention_layernorm(x))
            if self.picks is not None and hasattr(layer.mlp, "counts"):
                self.picks[i] += layer.mlp.counts
        return decoder.norm(x[0, -1]) @ self.model.lm_head.free.T


def rows_of_pictures(model, vocabulary, paths):
    """Rows [rows, hidden] of the prompt up to the last picture's end."""
    grids, rows = [], []
    for path in paths:
        cut, grid = views(Image.open(path).convert("RGB"))
        tiles = torch.stack([torch.from_numpy(v.pixels.copy()) for v in cut])
        grids.append(grid)
        rows.append(model.image_rows(model.projector(model.vision(tiles)), grid))
    ids = torch.tensor(picture_prefix(vocabulary, grids))
    x = model.embed_tokens.free[ids].clone()
    x[ids == vocabulary.image] = torch.cat(rows)
    return x


def answer(model, vocabulary, reader, turns, limit=128):
    """Greedy answer to the last of the turns, which begin after the pictures."""
    conversation = [(turns[i][1], turns[i + 1][1] if i + 1 < len(turns) else "") for i in range(0, len(turns), 2)]
    ids = [t for t, _ in question_ids(vocabulary, conversation)][:-1]     # without the end of an empty answer
    out = []
    logits = reader.read(model.embed_tokens.free[torch.tensor(ids)])
    while len(out) < limit:
        word = int(logits.argmax())
        if word == vocabulary.eos:
            break
        out.append(word)
        logits = reader.read(model.embed_tokens.free[torch.tensor([word])])
    return vocabulary.decode(out)


# ------------------------------------------------------------------------------------------------ what is right


def normalised(text):
    text = re.sub(r"[ \t\n\v\f\r]+", " ", re.sub("[A-Z]", lambda m: m.group().lower(), text)).strip(" ")
    return text[:-1].rstrip(" ") if text.endswith(".") else text


def boxes_in(text):
    """[(name, box)] of the whole boxes in an answer."""
    out = []
    for name, body in re.findall(r"(?:<\|ref\|>(.*?)<\|/ref\|>)?<\|det\|>(.*?)<\|/det\|>", text, re.S):
        for four in re.findall(r"\[\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\]", body):
            x1, y1, x2, y2 = map(int, four)
            if x1 <= x2 and y1 <= y2:
                out.append((normalised(name), (x1, y1, x2, y2)))
    return out


def overlap(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inner = max(0, w) * max(0, h)
    area = sum((r[2] - r[0]) * (r[3] - r[1]) for r in (a, b))
    return inner / (area - inner) if area > inner else 0.0


def boxes_match(expected, found):
    if len(expected) != len(found):
        return False
    pairs = sorted(((overlap(e[1], f[1]), i, j) for i, e in enumerate(expected) for j, f in enumerate(found)
                    if e[0] == f[0]), key=lambda p: (-p[0], p[1], p[2]))
    used_e, used_f = set(), set()
    for share, i, j in pairs:
        if share >= 0.5 and i not in used_e and j not in used_f:
            used_e.add(i)
            used_f.add(j)
    return len(used_e) == len(expected)


def is_right(item, text):
    expected, match = item["answer"], item.get("match", "text")
    alternatives = expected if isinstance(expected, list) else [expected]
    if match == "boxes":
        return any(boxes_match(boxes_in(a), boxes_in(text)) for a in alternatives)
    if match == "json":
        try:
            return any(json.loads(text) == a for a in alternatives)
        except ValueError:
            return False
    return any(normalised(a) == normalised(text) for a in alternatives)


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ask.add_argument("checkpoint")
    ask.add_argument("items")
    ask.add_argument("--limit", type=int)
    ask.add_argument("--json", action="store_true")
    ask.add_argument("--experts", action="store_true")
    ask.add_argument("--answers", help="write what was answered, one JSON object an item")
    got = ask.parse_args()
    model, vocabulary = load(got.checkpoint)
    folder = os.path.dirname(got.items)
    with open(got.items, encoding="utf-8") as file:
        items = [json.loads(line) for line in file if line.strip()][:got.limit]
    by_picture = defaultdict(list)
    for item in items:
        by_picture[tuple(item["images"])].append(item)
    score = defaultdict(lambda: [0, 0])
    picks = torch.zeros(len(model.model.layers), LanguageConfig().n_routed_experts, dtype=torch.int64)
    written = open(got.answers, "w", encoding="utf-8") if got.answers else None
    done = 0
    with torch.no_grad():
        for names, asked in by_picture.items():
            first = Reader(model)
            first.picks = picks
            first.read(rows_of_pictures(model, vocabulary, [os.path.join(folder, n) for n in names]))
            for item in asked:
                turns = item.get("turns") or [["user", item["question"]]]
                text = answer(model, vocabulary, first.fork(), turns)
                right = is_right(item, text)
                score[item["task"]][0] += right
                score[item["task"]][1] += 1
                done += 1
                if written:
                    written.write(json.dumps({"task": item["task"], "images": item["images"], "turns": turns,
                                              "expected": item["answer"], "answer": text, "right": right}) + "\n")
            if sys.stderr.isatty():
                print(f"\r{done} of {len(items)}", end="", file=sys.stderr)
    all_right, all_asked = (sum(v[i] for v in score.values()) for i in (0, 1))
    if got.json:
        print(json.dumps({"overall": {"accuracy": all_right / all_asked, "items": all_asked, "right": all_right},
                          "tasks": {t: {"accuracy": r / n, "items": n, "right": r}
                                    for t, (r, n) in sorted(score.items())}}))
    else:
        for task, (r, n) in sorted(score.items()):
            print(f"{task:18s} {r:5d} of {n:5d}  {100 * r / n:5.1f} %")
        print(f"{'overall':18s} {all_right:5d} of {all_asked:5d}  {100 * all_right / all_asked:5.1f} %")
    if got.experts:
        for i, row in enumerate(picks.tolist()):
            if sum(row):
                print(f"layer {i}: " + " ".join(f"{100 * n / sum(row):.1f}" for n in row) + " %")


if __name__ == "__main__":
    main()
