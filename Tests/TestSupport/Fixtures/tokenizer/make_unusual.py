"""Write unusual.jsonl and long.json: texts that random prose does not hold, with the ids of the Hugging Face
library.

    pip install tokenizers==0.23.3
    python make_unusual.py

unusual.jsonl: one {"text": ..., "ids": [...]} a line. long.json: a text that repeats another, with how many
ids it has and their FNV-1a hash (64 bits, four little-endian bytes an id).
"""

import json
import os
import random

from tokenizers import AddedToken, Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
# As the published processor adds them.
ADDED = ["<｜▁pad▁｜>", "<image>", "<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>", "<|User|>",
         "<|Assistant|>"]
# One or more of each kind that the regular expressions tell apart, and what added tokens are made of.
KINDS = ["a", "Z", "é", "е\u0301", "ß", "中", "龥", "龦", "あ", "\u3099", "・", "゠", "ー", "한", "ا", "क", "ि", "1", "٣",
         "²", "Ⅷ", "㊿", " ", " ", " ", "\n", "\n", "\r", "\t", "\x0b", "\x0c", "\x85", "\xa0", "\u2028", "\u2029",
         "\u3000", "\u200b", "\u200d", "\u00ad", "\ufeff", "!", "'", "_", "¿", "。", "$", "+", "€", "\u0301", "\u20dd",
         "\u0903", "\ufe0f", "👩", "🏽", "\x00", "\x01", "\x1b", "\x1c", "\x1f", "\x7f", "\x9f", "\u0378", "\ue000",
         "\uffff", "\U0003ffff", "\U0010ffff", "\u1c89", "\U0001ccf0", "\u0897", "<", "|", "｜", ">", "<｜", "<|",
         "<image>", "<image", "<|User|>", "<|Assistant|>:", "<｜tool▁sep｜>", "<｜tool▁sep｜", "<｜▁pad▁｜>",
         "<｜place▁holder▁no▁7｜>", "<｜place▁holder▁no▁77｜>", "<|EOT|>", "Ġ", "Ċ", "don't", "the", " the"]
ZWJ = ["👨‍👩‍👧‍👦", "🏳️‍🌈", "👩🏽‍🚀", "क्‍ष", "می‌خواهم", "🧑‍🤝‍🧑 ok", "‍", "a‍b", "\u200d\u200d "]


def texts(rng):
    for code in [*range(0x21), *range(0x7F, 0xA1)]:
        c = chr(code)
        yield from (c, c * 3, f"a{c}b", f" {c} {c}{c}x", f"1{c}!{c}\n{c}")
    yield from ZWJ
    for _ in range(300):
        yield "".join(chr(rng.choice([rng.randrange(0xD800), rng.randrange(0xE000, 0x110000)]))
                      for _ in range(rng.randint(1, 8)))
    for mark in range(0x300, 0x370, 7):
        yield from (chr(mark), " " + chr(mark), chr(mark) * 4 + "a", "1" + chr(mark), "!" + chr(mark) + "!")
    for _ in range(2000):
        yield "".join(rng.choice(KINDS) for _ in range(rng.randint(1, 20)))
    yield ""


def fnv1a(ids):
    h = 0xCBF29CE484222325
    for i in ids:
        for byte in i.to_bytes(4, "little"):
            h = ((h ^ byte) * 0x100000001B3) & (2 ** 64 - 1)
    return f"{h:016x}"


def main():
    tokenizer = Tokenizer.from_file(os.path.join(HERE, "tokenizer.json"))
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in ADDED])

    def encode(text):
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        assert tokenizer.decode(ids, skip_special_tokens=False) == text
        return ids

    with open(os.path.join(HERE, "unusual.jsonl"), "w") as f:
        for text in texts(random.Random(1)):
            f.write(json.dumps({"text": text, "ids": encode(text)}) + "\n")
    long = []
    for text in ["a", "Z", " ", "0", "\n", "\r", "\t", "中", "あ", "🙂", "!", "\u0301", "\x00", "\u0378", "<", "ab", " a",
                 " \n", "<image>", "<|User|"]:
        ids = encode(text * 100000)
        long.append({"text": text, "times": 100000, "ids": len(ids), "fnv1a": fnv1a(ids)})
    with open(os.path.join(HERE, "long.json"), "w") as f:
        json.dump(long, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
