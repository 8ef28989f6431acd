"""Write Sources/VL2Run/Text/UnicodeTables.swift and the fixture its test compares it with.

The Hugging Face `tokenizers` library (0.23) matches regular expressions with Oniguruma; its classes are
those of Unicode 16.0.0, code point by code point. Swift's own categories differ between Swift versions,
so the project carries its own table of that version. The table is made from the `unicodedata2` package,
the fixture from what the library's regular expressions match, and the two must agree.

    pip install unicodedata2==16.0.0 tokenizers==0.23.3
    python scripts/make_unicode_tables.py
"""

import json
import os

import unicodedata2
from tokenizers import Regex, pre_tokenizers

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VERSION = "16.0.0"
# Numbers of UnicodeClass in the Swift source.
CLASSES = {"letter": (1, r"\p{L}"), "mark": (2, r"\p{M}"), "number": (3, r"\p{N}"),
           "punctuation": (4, r"\p{P}"), "symbol": (5, r"\p{S}"), "whitespace": (6, r"\s")}
# The White_Space property (PropList.txt).
WHITESPACE = {*range(0x9, 0xE), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029,
              0x202F, 0x205F, 0x3000}
SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def unicode_class(code):
    """The number of a code point's class by the Unicode Character Database; 0 where it has none."""
    if code in WHITESPACE:
        return 6
    return {"L": 1, "M": 2, "N": 3, "P": 4, "S": 5}.get(unicodedata2.category(chr(code))[0], 0)


def matched(pattern):
    """The code points that a regular expression matches in the tokenizers library."""
    split, rest = pre_tokenizers.Split(Regex(pattern), "removed"), set()
    for i in range(0, len(SCALARS), 4096):
        for text, _ in split.pre_tokenize_str("".join(map(chr, SCALARS[i:i + 4096]))):
            rest.update(map(ord, text))
    return set(SCALARS) - rest


def fnv1a(codes):
    """FNV-1a (64 bits) over code points, four little-endian bytes each."""
    h = 0xCBF29CE484222325
    for code in codes:
        for byte in code.to_bytes(4, "little"):
            h = ((h ^ byte) * 0x100000001B3) & (2 ** 64 - 1)
    return f"{h:016x}"


def main():
    assert unicodedata2.unidata_version == VERSION, unicodedata2.unidata_version
    table = {code: unicode_class(code) for code in SCALARS}
    fixture = {}
    for name, (number, pattern) in CLASSES.items():
        members = sorted(matched(pattern))
        assert members == [c for c in SCALARS if table[c] == number], name
        fixture[name] = {"count": len(members), "fnv1a": fnv1a(members)}
    with open(os.path.join(ROOT, "Tests/TestSupport/Fixtures/tokenizer/unicode-classes.json"), "w") as f:
        json.dump(fixture, f, indent=1)
        f.write("\n")

    runs, last = [], None
    for code in range(0x110000):
        number = table.get(code, 0)
        if number != last:
            runs.append(f"0x{code << 8 | number:X}")
            last = number
    lines = [""]
    for run in runs:
        if len(lines[-1]) + len(run) + 2 > 106:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "    ") + run + ","
    body = "\n".join(lines)
    with open(os.path.join(ROOT, "Sources/VL2Run/Text/UnicodeTables.swift"), "w") as f:
        f.write(f"""\
// Written by scripts/make_unicode_tables.py; do not edit.

/// The classes of all code points, by Unicode {VERSION}.
enum UnicodeTables {{
  /// The Unicode version of the table.
  static let version = "{VERSION}"

  /// Runs of code points of one class, in ascending order: first code point times 256 plus the number of its
  /// `UnicodeClass`. A run ends where the next one begins.
  // swift-format-ignore
  static let runs: [UInt32] = [
{body}
  ]
}}
""")
    print(len(runs), "runs")


if __name__ == "__main__":
    main()
