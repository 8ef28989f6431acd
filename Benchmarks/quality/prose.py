"""Writes prose out of Debian's manuals as plain text: one file to calibrate with, another to evaluate on.

    python prose.py PACKAGES OUT

PACKAGES is the folder into which debian-handbook, aptitude-doc-en and developers-reference were unpacked (dpkg-deb -x).
OUT/calibration.txt is from the first, OUT/evaluation.txt from the others; a paragraph that stands in both is left out of
the first. Each holds parts of several paragraphs, taken at even distances, so that all chapters have their share.
"""

import argparse
import html.parser
import pathlib
import re

MANUALS = {
    "calibration": ["doc/debian-handbook/html/en-US"],
    "evaluation": ["doc/aptitude/html/en", "developers-reference"],
}
# Parts of each manual, and the least characters of one: about 450 and 260 tokens.
PARTS = {"calibration": (64, 2000), "evaluation": (16, 1150)}
PLAIN = str.maketrans({"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\u2014": "-", "\u2013": "-"})


class Paragraphs(html.parser.HTMLParser):
    """The texts of a page's paragraphs: of p and of DocBook's div class="para"."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.texts, self.text, self.skipped = [], None, 0

    def finish(self):
        if self.text is not None:
            text = re.sub(r"\s+", " ", "".join(self.text)).strip().translate(PLAIN)
            # Short ones are headings and lists of names; what is not English prose has other letters.
            if len(text) > 200 and text.isascii():
                self.texts.append(text)
        self.text = None

    def handle_starttag(self, tag, attributes):
        if tag in ("pre", "script", "style"):
            self.skipped += 1
        elif tag in ("p", "div", "li", "table"):
            self.finish()
            if tag == "p" or dict(attributes).get("class") == "para":
                self.text = []

    def handle_endtag(self, tag):
        if tag in ("pre", "script", "style"):
            self.skipped = max(0, self.skipped - 1)
        elif tag in ("p", "div", "li", "table"):
            self.finish()

    def handle_data(self, data):
        if self.text is not None and not self.skipped:
            self.text.append(data)


def paragraphs(folder):
    seen = {}
    for page in sorted(folder.rglob("*.html")):
        reader = Paragraphs()
        reader.feed(page.read_text(encoding="utf-8", errors="replace"))
        reader.close()
        reader.finish()
        seen.update(dict.fromkeys(reader.texts))  # a page of everything beside the chapters' has each twice
    if len(seen) < 100:
        raise SystemExit(f"prose.py: {folder} has {len(seen)} paragraphs: is its package unpacked?")
    return list(seen)


def parts(texts, count, characters):
    for number in range(count):
        place, part = number * len(texts) // count, []
        while place < len(texts) and sum(map(len, part)) < characters:
            part.append(texts[place])
            place += 1
        yield "\n\n".join(part)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    arguments = parser.parse_args()
    share = arguments.packages / "usr/share"
    manuals = {use: [paragraphs(share / name) for name in names] for use, names in MANUALS.items()}
    evaluated = {text for texts in manuals["evaluation"] for text in texts}
    manuals["calibration"] = [[text for text in texts if text not in evaluated] for texts in manuals["calibration"]]
    arguments.out.mkdir(parents=True, exist_ok=True)
    for use, lists in manuals.items():
        text = "\n\n".join(part for texts in lists for part in parts(texts, *PARTS[use]))
        (arguments.out / f"{use}.txt").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
