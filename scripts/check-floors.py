#!/usr/bin/env python3
"""Hold the sources to the floors that docs/ARCHITECTURE.md states: a folder names only what stands below it.

Usage: check-floors.py            check; each name that goes upwards is printed, and the exit status is 1
       check-floors.py --prove    show that the check finds a name that goes upwards, in every module

The table under the heading "Floors" has a row for each module, the lowest first, with its folders from the ground up
and the modules that its files may import. A file names another one where it uses a type that only that one defines,
calls a free function of it, or a member that it alone adds to a type of somebody else. It goes by identifiers, without
knowing Swift: comments and strings are left out, the code inside interpolations is read.
"""
import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "ARCHITECTURE.md"

# Not Foundation: it brings 32 MB of data about languages into a program that carries its libraries.
FOR_EVERYBODY = {"Dispatch", "FoundationEssentials", "Glibc", "Synchronization"}
MODULE_NAMES = {"console": "VL2Console"}  # of folders whose module is called otherwise

DECLARATION = re.compile(
    r"\b(?P<kind>class|struct|enum|protocol|actor|typealias)\s+(?P<type>[A-Z]\w*)"
    r"|\bextension\s+(?P<extended>[A-Z][\w.]*)|\b(?:func|var|let|case)\s+(?P<member>[a-z]\w*)"
    r"|(?P<open>{)|(?P<close>})")
WORD = re.compile(r"(?:\b([A-Z]\w*)\.)?(\.?)\b([A-Za-z_]\w*)\b(\(?)")  # outer type, dot, name, call
IMPORT = re.compile(r"^\s*(?:@\w+\s+)*(?:(?:public|package|internal|private|fileprivate)\s+)?import\s+"
                    r"(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)", re.M)


def code_of(text):
    """The text with comments and the words of strings blanked; code inside \\( ) stays."""
    out, i, stack = [], 0, []  # stack: "(" inside an interpolation, or how a string ends
    while i < len(text):
        if stack and stack[-1] != "(":
            hashes = "#" * stack[-1].count("#")
            if text.startswith(stack[-1], i):
                i += len(stack.pop())
            elif text.startswith("\\" + hashes + "(", i):
                stack.append("(")
                out.append(" (")
                i += 2 + len(hashes)
            else:
                out.append("\n" if text[i] == "\n" else " ")
                i += 2 if text[i] == "\\" and not hashes else 1
            continue
        quote = re.compile(r'(#*)("""|")').match(text, i)
        if text.startswith("//", i):
            end = text.find("\n", i)
            i = len(text) if end < 0 else end
        elif text.startswith("/*", i):
            i = text.find("*/", i) + 2
        elif quote:
            stack.append(quote[2] + quote[1])
            i = quote.end()
        else:
            if text[i] == "(" and stack:
                stack.append("(")
            if text[i] == ")" and stack:
                stack.pop()
            out.append(text[i])
            i += 1
    return "".join(out)


class Source:
    """A file: what it declares at the top of files and types, and the words that it uses."""

    def __init__(self, name, module, folder, text):
        self.name, self.module, self.folder = name, module, folder
        code = code_of(text)
        self.imports = set(IMPORT.findall(code))
        self.types, self.added, self.private, self.declared = set(), set(), set(), set()
        scopes, pending = [], None  # of each brace around: ("type" or "extension", name), or None for a body
        for m in DECLARATION.finditer(code):
            line = code[code.rfind("\n", 0, m.start()) + 1:m.start()]
            name, outer = m["type"] or m["member"], scopes[-1] if scopes else None
            if m["open"]:
                scopes.append(pending)
                pending = None
            elif m["close"]:
                if scopes:
                    scopes.pop()
            elif m["extended"]:
                pending = ("extension", m["extended"].split(".")[-1])
            elif all(scopes):  # not inside a body
                if m["type"]:
                    self.types.add((outer and outer[1], name))
                    if m["kind"] != "typealias":
                        pending = ("type", name)
                elif outer is None or outer[0] == "extension":
                    self.added.add((outer and outer[1], name))
                if re.search(r"\b(private|fileprivate)\b(?!\()", line):
                    self.private.add(name)
                self.declared.add(name)
        self.words = {m.groups() for m in WORD.finditer(code)}


class Names:
    """Finds the file that a word means; a file sees its own module and those below."""

    def __init__(self, files, modules):
        self.level = {module: level for level, module in enumerate(modules)}
        self.typed, self.added = collections.defaultdict(list), collections.defaultdict(set)
        for f in files:
            for outer, name in f.types:
                self.typed[name].append((outer, f))
        once = collections.Counter(name for f in files for name in f.declared)
        for f in files:
            for outer, name in f.added:
                own = any(d is f for _, d in self.typed.get(outer, []))
                if once[name] == 1 and not own and name not in f.private:
                    self.added["." if outer else "", name].add(f)

    def sees(self, f, other):
        return self.level[other.module] <= self.level[f.module]

    def target(self, f, outer, dot, name, call):
        seen = [(o, d) for o, d in self.typed.get(name, [])
                if self.sees(f, d) and (d is f or name not in d.private)]
        if seen:
            if not outer and any(d is f for _, d in seen):
                return f
            fit = ({d for o, d in seen if outer and o == outer} or {d for o, d in seen if o is None}
                   or {d for _, d in seen})
            return fit.pop() if len(fit) == 1 else None
        given = self.added.get(("." if dot else "", name), ()) if dot or call else ()
        return next((d for d in given if self.sees(f, d)), None) if len(given) == 1 else None

    def of(self, f):
        """The files that a file names, each with the words that say so."""
        found = collections.defaultdict(set)
        for outer, dot, name, call in f.words:
            for to, word in ((self.target(f, outer, dot, name, call), name),
                             (outer and self.target(f, None, "", outer, ""), outer)):
                if to and to is not f:
                    found[to].add(word)
        return found


def floors():
    """The rows of the table: module, its path, its folders from the ground up, what it may import."""
    section = re.split(r"^## ", DOCUMENT.read_text(), flags=re.M)
    section = next((s for s in section if s.startswith("Floors")), "")
    rows = []
    for row in re.findall(r"^\| `([\w/]+)` \|([^|\n]*)\|([^|\n]*)\|[^|\n]*\|$", section, flags=re.M):
        path, folders, imports = row[0], re.findall(r"`(\w+)/`", row[1]), re.findall(r"`(\w+)`", row[2])
        module = path.split("/")[-1]
        rows.append((MODULE_NAMES.get(module, module), path, folders, set(imports)))
    if not rows:
        sys.exit(f"{DOCUMENT}: no table of modules and folders under the heading 'Floors'")
    return rows


def read(rows):
    files = []
    for module, path, _, _ in rows:
        for file in sorted((ROOT / path).rglob("*.swift")):
            place = file.relative_to(ROOT / path)
            folder = place.parts[0] if len(place.parts) > 1 else ""
            files.append(Source(str(file.relative_to(ROOT)), module, folder, file.read_text()))
    return files


def complaints(rows, files):
    """What goes against the floors, a line each."""
    folders = {module: folders for module, _, folders, _ in rows}
    imports = {module: allowed | FOR_EVERYBODY for module, _, _, allowed in rows}
    names = Names(files, [module for module, _, _, _ in rows])
    ours = {module for module, _, _, _ in rows}
    for module in folders:
        for gone in set(folders[module]) - {f.folder for f in files if f.module == module}:
            yield f"docs/ARCHITECTURE.md: the folder {gone} of {module} holds no Swift file"
    for f in files:
        order = folders[f.module]
        if f.folder and f.folder not in order:
            yield f"{f.name}: docs/ARCHITECTURE.md has no floor for the folder {f.folder} of {f.module}"
            continue
        for module in sorted(f.imports - imports[f.module]):
            yield f"{f.name}: {f.module} may not import {module}"
        mine = order.index(f.folder) if f.folder else -1
        for to, words in sorted(names.of(f).items(), key=lambda item: item[0].name):
            if to.module != f.module or to.folder not in order:
                if to.module != f.module and to.module in ours and to.module not in imports[f.module]:
                    yield f"{f.name}: names {', '.join(sorted(words))} of {to.name}, a module it may not import"
                continue
            if order.index(to.folder) > mine:
                yield (f"{f.name}: names {', '.join(sorted(words))} of {to.name}, which stands above it "
                       f"({' < '.join(order)})")


def prove(rows, files):
    """Puts one name that goes upwards into each module and expects that it is found."""
    for module, path, folders, _ in rows:
        inside = [f for f in files if f.module == module]
        top = next((f for folder in reversed(folders[1:]) for f in inside
                    if f.folder == folder and any(o is None and n not in f.private for o, n in f.types)), None)
        if not top:
            continue
        name = next(n for o, n in sorted(top.types, key=str) if o is None and n not in top.private)
        wrong = Source(f"{path}/{folders[0]}/Wrong.swift", module, folders[0], f"func wrong(_: {name}) {{}}")
        found = [line for line in complaints(rows, files + [wrong]) if line.startswith(wrong.name)]
        if len(found) != 1 or name not in found[0]:
            sys.exit(f"check-floors: {name}, named in {wrong.name}, was not found")
        print(f"found: {found[0]}")


def main():
    rows = floors()
    files = read(rows)
    if sys.argv[1:] == ["--prove"]:
        return prove(rows, files)
    if sys.argv[1:]:
        sys.exit(__doc__)
    found = list(complaints(rows, files))
    for line in found:
        print(line, file=sys.stderr)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
