#!/usr/bin/env python3
"""Make Sources/VL2Serve/Page/AskPage.swift from ask.html beside it: the page as a string, and the policy under which
browsers run nothing but its own script and style, which they know by their hashes.

Usage: embed-page.py            writes the file
       embed-page.py --check    fails where the file is not what it would write
"""

import base64
import hashlib
import re
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "Sources/VL2Serve/Page"
PAGE, EMBEDDED = FOLDER / "ask.html", FOLDER / "AskPage.swift"


def hashes(html, element):
    """The sources of a policy that name each element of this kind by what stands in it."""
    texts = re.findall(rf"<{element}\b[^>]*>(.*?)</{element}>", html, re.S)
    if not texts:
        sys.exit(f"{PAGE}: there is no <{element}>")
    return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts)


def check(html):
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
            sys.exit(f"{PAGE}:{html.count(chr(10), 0, found.start()) + 1}: {why}")


def swift(html):
    policy = (
        f"default-src 'none'; script-src {hashes(html, 'script')}; style-src {hashes(html, 'style')}; "
        "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return f'''// swift-format-ignore-file
// Made by scripts/embed-page.py from ask.html: change that and run it again.

/// The page that a browser shows at `/`.
enum AskPage {{
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
    html = PAGE.read_text(encoding="utf-8")
    check(html)
    # The last line end belongs to the closing mark, which stands on a line of its own.
    made = swift(html.rstrip("\n") + "\n")
    if not sys.argv[1:]:
        EMBEDDED.write_text(made, encoding="utf-8")
    elif not EMBEDDED.exists() or EMBEDDED.read_text(encoding="utf-8") != made:
        sys.exit(f"{EMBEDDED} is not made from {PAGE.name} as it is; run scripts/embed-page.py")


main()
