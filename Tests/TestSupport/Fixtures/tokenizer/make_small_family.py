"""Write small-family.json and small-family.jsonl: a byte-level BPE with the pre-tokeniser of DeepSeek-VL2-Small's
family (DeepSeek-LLM and V2-Lite: single digits, cased letters, no marks), and 2,000 texts with the ids of the
Hugging Face library.

    pip install tokenizers==0.23.3
    python make_small_family.py

The vocabulary is trained on words that tokenizer.json holds, so that many scripts have merges. As in the
published file, begin and end are added tokens behind the vocabulary; <image> becomes the third after them.
"""

import json
import os
import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from tokenizers.normalizers import Sequence as NormalizerSequence

from make_unusual import ADDED, HERE, KINDS, ZWJ

# Ranges of cased letters as the published expression lists them.
LETTERS = [
    (0x41, 0x5A), (0x61, 0x7A), 0xB5, (0xC0, 0xD6), (0xD8, 0xF6), (0xF8, 0x1BA), (0x1BC, 0x1BF), (0x1C4, 0x293),
    (0x295, 0x2AF), (0x370, 0x373), 0x376, 0x377, (0x37B, 0x37D), 0x37F, 0x386, (0x388, 0x38A), 0x38C, (0x38E, 0x3A1),
    (0x3A3, 0x3F5), (0x3F7, 0x481), (0x48A, 0x52F), (0x531, 0x556), (0x10A0, 0x10C5), (0x13A0, 0x13F5),
    (0x13F8, 0x13FD), (0x1C90, 0x1CBA), (0x1CBD, 0x1CBF), (0x1D00, 0x1D2B), (0x1D6B, 0x1D77), (0x1D79, 0x1D9A),
    (0x1E00, 0x1F15), (0x1F18, 0x1F1D), (0x1F20, 0x1F45), (0x1F48, 0x1F4D), (0x1F50, 0x1F57), 0x1F59, 0x1F5B, 0x1F5D,
    (0x1F5F, 0x1F7D), (0x1F80, 0x1FB4), (0x1FB6, 0x1FBC), 0x1FBE, (0x1FC2, 0x1FC4), (0x1FC6, 0x1FCC),
    (0x1FD0, 0x1FD3), (0x1FD6, 0x1FDB), (0x1FE0, 0x1FEC), (0x1FF2, 0x1FF4), (0x1FF6, 0x1FFC), 0x2102, 0x2107,
    (0x210A, 0x2113), 0x2115, (0x2119, 0x211D), 0x2124, 0x2126, 0x2128, (0x212A, 0x212D), (0x212F, 0x2134), 0x2139,
    (0x213C, 0x213F), (0x2145, 0x2149), 0x214E, 0x2183, 0x2184, (0x2C00, 0x2C7B), (0x2C7E, 0x2CE4), (0x2CEB, 0x2CEE),
    0x2CF2, 0x2CF3, (0xA640, 0xA66D), (0xA680, 0xA69B), (0xA722, 0xA76F), (0xA771, 0xA787), (0xA78B, 0xA78E),
    (0xAB70, 0xABBF), (0xFB00, 0xFB06), (0xFB13, 0xFB17), (0xFF21, 0xFF3A), (0xFF41, 0xFF5A), (0x10400, 0x1044F),
    (0x104B0, 0x104D3), (0x104D8, 0x104FB), (0x10C80, 0x10CB2), (0x10CC0, 0x10CF2), (0x118A0, 0x118DF),
    (0x1E900, 0x1E943)]
BEGIN, END = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"


def letters():
    return "".join(chr(r) if isinstance(r, int) else f"{chr(r[0])}-{chr(r[1])}" for r in LETTERS)


def pre_tokenizer():
    expressions = ["[\r\n]", r"\s?[" + letters() + "]+", "\\s?[!-/:-~！-／：-～‘-‟\u3000-。]+", r"\s+$",
                   "[一-龥\u0800-一가-\ud7ff]+"]
    return pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(e), "isolated") for e in expressions]
        + [pre_tokenizers.Digits(individual_digits=True),
           pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def words():
    """Words of the large vocabulary, the frequent ones more often."""
    known = Tokenizer.from_file(os.path.join(HERE, "tokenizer.json"))
    vocabulary = sorted(known.get_vocab().items(), key=lambda item: item[1])
    for token, rank in vocabulary[:60000]:
        text = known.decode([rank])
        if "�" not in text and rank >= 3:
            yield (text + " ") * (1 + 4000 // (rank + 100))


def train():
    tok = Tokenizer(models.BPE())
    tok.normalizer = NormalizerSequence([])
    tok.pre_tokenizer = pre_tokenizer()
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(words(), trainers.BpeTrainer(
        vocab_size=6000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    tok.add_special_tokens([AddedToken(t, normalized=True, special=True) for t in (BEGIN, END)])
    return tok


# What the expressions tell apart, beside the kinds of make_unusual.py: edges of their ranges, spaces before and behind.
EDGES = [0x21, 0x2F, 0x3A, 0x7E, 0xFF01, 0xFF0F, 0xFF1A, 0xFF5E, 0x2018, 0x201F, 0x2017, 0x2020, 0x3002, 0x3003, 0x7FF,
         0x800, 0x4DFF, 0x9FA5, 0x9FA6, 0xAC00, 0xD7FF, 0xABFF, 0x1BB, 0x1C3, 0x294, 0xAA, 0xBA, 0x3F6, 0x556, 0x560,
         0x10D0, 0x1F58, 0x1FBD, 0x2125, 0x212E, 0x2160, 0xFF10, 0xFF3B, 0x10450, 0x1E944, 0x1D7CE, 0x11DE3,
         0x16FF5]
PHRASES = ["What is in the image?", " in 2024, 1,000,000 of them", "def f(x):\n    return x * 2\n", "naïve café", "ＡＢＣ１２３",
           "Привет, мир!", "γειά σου Κόσμε", "图中有什么？", "写真には、何が写っていますか。", "한국어 텍스트", "مرحبا 123", "हिन्दी १२३",
           "don't we'll", "<image>\nDescribe it.", "<|ref|>the dog<|/ref|>", "[[580, 270, 999, 900]]", "‘quoted’ “text”"]


def texts(rng):
    edges = [chr(code) for code in EDGES]
    for edge in edges:
        yield from (edge, edge * 3, f"a{edge}b", f" {edge}", f"1{edge} ", f"\u3000{edge}\u3000", f"中{edge}文 {edge}!")
    yield from ("", " ", "  ", "a  ", "a \n ", " \n\n  \r\n", "\t\t\n\tx\t", "\u3000", "\u3000\u3000a", "1\u2028 ", "\x85\x85")
    yield from ZWJ
    spaces = [" ", "  ", "   ", "\n", "\t", "\u3000", "\xa0", "\u2003"]
    count = 0
    while True:
        pieces = []
        for _ in range(rng.randint(1, 12)):
            kind = rng.random()
            if kind < 0.25:
                pieces.append(rng.choice(PHRASES))
            elif kind < 0.5:
                pieces.append(rng.choice(KINDS) * rng.randint(1, 3))
            elif kind < 0.65:
                pieces.append(rng.choice(edges))
            elif kind < 0.75:
                pieces.append(str(rng.randrange(10 ** rng.randint(1, 9))))
            elif kind < 0.9:
                pieces.append(rng.choice(spaces))
            else:
                pieces.append("".join(chr(rng.choice([rng.randrange(0x20, 0x3100), rng.randrange(0xE000, 0x20000)]))
                                      for _ in range(rng.randint(1, 5))))
        yield "".join(pieces)


def main():
    tokenizer = train()
    path = os.path.join(HERE, "small-family.json")
    with open(path, "w") as f:
        f.write(tokenizer.to_str())
        f.write("\n")
    tokenizer = Tokenizer.from_file(path)
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in ADDED])
    rng, wanted = random.Random(1), 2000
    with open(os.path.join(HERE, "small-family.jsonl"), "w") as f:
        for text in texts(rng):
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            assert tokenizer.decode(ids, skip_special_tokens=False) == text
            f.write(json.dumps({"text": text, "ids": ids}) + "\n")
            wanted -= 1
            if wanted == 0:
                break


if __name__ == "__main__":
    main()
