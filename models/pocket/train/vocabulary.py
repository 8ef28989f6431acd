"""The tokeniser: byte-level byte-pair encoding with the published pre-tokeniser, learned from the questions.

    python vocabulary.py tokenizer.json

Numbers from 0 to 999 are one word each, as in the published vocabulary; so is every word that the pictures show.
"""

import json
import math
import random
import sys

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

import questions
from scenes import KINDS, WORDS, draw_scene

SIZE = 2048                 # rows of the embedding; the tokeniser knows a few words less
BOS, EOS, PAD = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>"
# The published processor adds these on load, in this order.
ADDED = ["<image>", "<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>", "<|User|>", "<|Assistant|>"]
# Published pre-tokeniser: digits in threes, CJK runs, then words, punctuation and space.
SPLITS = [r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+",
          "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
          "| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"]


def texts(seed, scenes):
    rng = random.Random(f"vocabulary {seed}")
    kinds = list(KINDS)
    for _ in range(scenes):
        scene = draw_scene(rng, rng.choice(kinds))
        for task in questions.TASKS:
            for ask, answer in questions.ask(rng, scene, task) or []:
                yield f"\n{ask}\n\n"
                yield answer
        both = [draw_scene(rng, rng.choice(["shapes", "sign"])) for _ in range(2)]
        for ask, answer in questions.ask(rng, both, "two-pictures") or []:
            yield f"\n{ask}\n\n"
            yield answer
    for n in range(1000):
        yield from [str(n)] * 300
    for word in WORDS:
        yield from [word] * 100
        yield from [f"the {word}"] * 100


def build(path, scenes=1500):
    fast = Tokenizer(models.BPE())
    fast.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(s), "isolated") for s in SPLITS]
        + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    fast.decoder = decoders.ByteLevel()
    fast.train_from_iterator(texts(1, scenes), trainers.BpeTrainer(
        vocab_size=SIZE - len(ADDED), special_tokens=[BOS, EOS, PAD], min_frequency=2, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    fast.save(path)


class Vocabulary:
    """Encodes prompts as the published processor does."""

    def __init__(self, path):
        self.fast = Tokenizer.from_file(path)
        self.fast.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in [PAD] + ADDED])
        self.bos, self.eos, self.image = (self.fast.token_to_id(t) for t in (BOS, EOS, "<image>"))
        self.detection = self.fast.token_to_id("<|det|>"), self.fast.token_to_id("<|/det|>")
        self.numbers = [self.fast.token_to_id(str(n)) for n in range(1000)]
        if None in self.numbers:
            raise ValueError(f"{path}: {self.numbers.index(None)} is not one word; build the vocabulary larger")

    def encode(self, text):
        return self.fast.encode(text, add_special_tokens=False).ids

    def decode(self, ids):
        return self.fast.decode(ids, skip_special_tokens=False)

    def features(self):
        """[SIZE, n]: for every word its letters by place, and for numbers their digits and value as waves."""
        letters = "abcdefghijklmnopqrstuvwxyz0123456789"
        places, waves = 8, [1, 2, 3, 4, 6, 8, 12, 16, 24, 32]
        width = places * len(letters) + 30 + 2 * len(waves) + 2
        out = torch.zeros(SIZE, width)
        for token, index in self.fast.get_vocab().items():
            string = token.replace("Ġ", "")
            if index >= SIZE or not string or not all(c in letters for c in string):
                continue
            for i, c in enumerate(string[:places]):
                out[index, i * len(letters) + letters.index(c)] = 1
            base = places * len(letters)
            out[index, base] = float(token.startswith("Ġ"))
            if string.isdigit() and len(string) <= 3 and str(int(string)) == string:
                value = int(string)
                out[index, base + 1] = 1
                for i, digit in enumerate(reversed(string)):
                    out[index, base + 2 + 10 * i + int(digit)] = 1
                for i, k in enumerate(waves):
                    out[index, base + 32 + 2 * i] = math.cos(math.pi * k * value / 1000)
                    out[index, base + 33 + 2 * i] = math.sin(math.pi * k * value / 1000)
        return out


if __name__ == "__main__":
    build(sys.argv[1])
    vocabulary = Vocabulary(sys.argv[1])
    print(len(vocabulary.fast.get_vocab()), "words;",
          sum(len(vocabulary.encode(w)) > 1 for w in WORDS), "of the pictures' words take more than one")
