"""Conversations as rows of the language model: one picture or two, and many independent questions about them.

The pictures' rows come first. Each question sees them and itself, not the other questions, and its positions start
where the pictures end: to the model it is a prompt with one question, but the pictures' rows are worked out once for
all of them.
"""

from dataclasses import dataclass, field

import torch

from tiles import image_places, views


EXERCISE = "exercise"      # the task of what exercises.py makes: no chat layout around it
WRITTEN = "written"        # the task of its `written`, in the chat layout


@dataclass
class Sample:
    pictures: list                     # of lists of View, the global one first
    grids: list                        # (columns, rows) of each picture
    ids: list = field(default_factory=list)         # word ids; the image word where a picture's rows stand
    segments: list = field(default_factory=list)    # 0 for the pictures, then the number of the question
    positions: list = field(default_factory=list)
    targets: list = field(default_factory=list)     # the next word where it belongs to an answer, else -1
    weights: list = field(default_factory=list)     # of each target in the loss
    tasks: list = field(default_factory=list)       # of each question


def picture_prefix(vocabulary, grids):
    """Word ids up to the last picture's end, as the published prompt lays them out."""
    ids = [vocabulary.bos] + vocabulary.encode("<|User|>: ")
    for i, grid in enumerate(grids):
        ids += (vocabulary.encode("\n") if i else []) + [vocabulary.image] * image_places(grid)
    return ids


def question_ids(vocabulary, turns):
    """[(word id, whether it belongs to an answer)] of a conversation after its pictures."""
    out = []
    for i, (ask, answer) in enumerate(turns):
        text = f"{'<|User|>: ' if i else chr(10)}{ask}\n\n<|Assistant|>:"
        out += [(t, False) for t in vocabulary.encode(text)]
        out += [(t, True) for t in vocabulary.encode(answer) + [vocabulary.eos]]
    return out


def make_sample(vocabulary, images, conversations):
    """conversations: (task, turns) each. Views of the pictures and everything that the loss needs."""
    cut = [views(image) for image in images]
    sample = Sample([v for v, _ in cut], [g for _, g in cut])
    sample.ids = picture_prefix(vocabulary, sample.grids)
    start = len(sample.ids)
    sample.segments, sample.positions = [0] * start, list(range(start))
    sample.targets, sample.weights = [-1] * start, [0.0] * start
    for task, turns in conversations:
        if task == EXERCISE:
            words = [(t, answer) for text, answer in zip(turns[0], (False, True)) for t in vocabulary.encode(text)]
        else:
            words = question_ids(vocabulary, turns)
        sample.tasks.append(task)
        count = sum(answer for _, answer in words)
        for i, (word, _) in enumerate(words):
            following = words[i + 1] if i + 1 < len(words) else (0, False)
            sample.ids.append(word)
            sample.segments.append(len(sample.tasks))
            sample.positions.append(start + i)
            sample.targets.append(following[0] if following[1] else -1)
            # Long answers (boxes, JSON) count more than short ones, but not by their length.
            sample.weights.append(count ** -0.5 if following[1] else 0.0)
    return sample


def collate(samples):
    """A batch as tensors; rows are padded to the longest sample and to a multiple of 32, so that few sizes occur."""
    rows = max(len(s.ids) for s in samples)
    rows += -rows % 32

    def padded(lists, value):
        return torch.tensor([x + [value] * (rows - len(x)) for x in lists])
    tiles = [torch.from_numpy(v.pixels.copy()) for s in samples for picture in s.pictures for v in picture]
    return {"tiles": torch.stack(tiles), "views": [[len(p) for p in s.pictures] for s in samples],
            "grids": [s.grids for s in samples], "ids": padded([s.ids for s in samples], 0),
            "segments": padded([s.segments for s in samples], -1),
            "positions": padded([s.positions for s in samples], 0),
            "targets": padded([s.targets for s in samples], -1),
            "weights": padded([s.weights for s in samples], 0.0), "tasks": [s.tasks for s in samples]}


def visible(segments):
    """[n, rows] -> additive bias [n, 1, rows, rows]: earlier rows of the pictures or of the same question."""
    same = (segments[:, :, None] == segments[:, None, :]) | (segments[:, None, :] == 0)
    rows = segments.shape[1]
    seen = same & torch.ones(rows, rows, dtype=torch.bool).tril()
    return torch.zeros(seen.shape, dtype=torch.bfloat16).masked_fill_(~seen, -1e9)[:, None]


def embedded(model, batch, cells):
    """Words and pictures -> rows [n, rows, hidden]; cells are the projected tiles of the whole batch."""
    x = torch.nn.functional.embedding(batch["ids"], model.embed_tokens.table()).to(cells.dtype)
    image = batch["image"]
    at, places, rows = 0, [], []
    for i, (counts, grids) in enumerate(zip(batch["views"], batch["grids"])):
        for count, grid in zip(counts, grids):
            rows.append(model.image_rows(cells[at:at + count], grid))
            at += count
        places.append((batch["ids"][i] == image).nonzero()[:, 0] + i * x.shape[1])
    flat = x.reshape(-1, x.shape[-1])
    return flat.index_copy(0, torch.cat(places), torch.cat(rows)).view(x.shape)
