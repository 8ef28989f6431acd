#!/usr/bin/env python3
"""Make a Swift file of each page in Sources/VL2Serve/Page: the page as a string, and the policy under which browsers run
nothing but its own script and style, which they know by their hashes.

Usage: embed-page.py            writes the files
       embed-page.py --check    fails where a file is not what it would write
"""

import base64
import hashlib
import re
import sys
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parents[1] / "Sources/VL2Serve/Page"


class Page(NamedTuple):
    source: str
    type: str
    address: str
    pictures: str  # where they may come from


PAGES = [
    Page("ask.html", "AskPage", "/", "'self' blob: data:"),
    Page("kiosk.html", "KioskPage", "/kiosk", "data:"),
]


def hashes(page, html, element):
    """The sources of a policy that name each element of this kind by what stands in it."""
    texts = re.findall(rf"<{element}\b[^>]*>(.*?)</{element}>", html, re.S)
    if not texts:
        sys.exit(f"{page.source}: there is no <{element}>")
    return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts)


def check(page, html):
    """The policy forbids these, so that they would do nothing."""
    for wrong, why in [
        (r"\sstyle\s*=\s*[\"']", "a style attribute; use a class, or set it from the script"),
        (r"<[^>]*\son\w+\s*=\s*[\"']", "an event attribute; use addEventListener"),
        (r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//", "something from elsewhere"),
        (r"\b(?:innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval)\b", "text that becomes HTML or code"),
        (r'"""##', "the end of a Swift string"),
        (r"\\##\(", "what a Swift string would fill in"),
        (r"\r", "a carriage return, which a browser leaves out before it hashes"),
    ]:
        if found := re.search(wrong, html):
            sys.exit(f"{page.source}:{html.count(chr(10), 0, found.start()) + 1}: {why}")


def swift(page, html):
    policy = (
        f"default-src 'none'; script-src {hashes(page, html, 'script')}; style-src {hashes(page, html, 'style')}; "
        f"img-src {page.pictures}; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return f'''// swift-format-ignore-file
// Made by scripts/embed-page.py from {page.source}: change that and run it again.

/// The page that a browser shows at `{page.address}`.
enum {page.type} {{
  /// Lets a browser run the page's own script and style, talk to this server, and nothing else.
  static let contentSecurityPolicy =
    "{policy}"

  static let html = ##"""
{html}"""##
}}
'''


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    for page in PAGES:
        html = (FOLDER / page.source).read_text(encoding="utf-8")
        check(page, html)
        # The last line end belongs to the closing mark, which stands on a line of its own.
        made, embedded = swift(page, html.rstrip("\n") + "\n"), FOLDER / f"{page.type}.swift"
        if not sys.argv[1:]:
            embedded.write_text(made, encoding="utf-8")
        elif not embedded.exists() or embedded.read_text(encoding="utf-8") != made:
            sys.exit(f"{embedded} is not made from {page.source} as it is; run scripts/embed-page.py")


main()
