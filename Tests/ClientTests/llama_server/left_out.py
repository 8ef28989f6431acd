"""left_out.txt: the cases that are not run, one a line, and why.

    unit/test_file.py::test_name  # reason          one case, or all parameters of one test
    unit/test_file.py  # reason                     a whole file

A case's parameters may be cut short with `...`. Empty lines and lines that begin with # are for readers."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    case: str
    reason: str

    def matches(self, case):
        if self.case.endswith("..."):
            return case.startswith(self.case[:-3])
        return case == self.case or case.startswith((self.case + "[", self.case + "::"))


def parse(lines):
    entries = []
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        case, _, reason = line.rpartition("  # ")
        entries.append(Entry(case.strip(), reason.strip()) if case else Entry(re.sub(r"\s+#.*$", "", line.strip()), ""))
    return entries


def check(cases, lines):
    """What is wrong with the list, seen from the cases that there are."""
    faults = []
    entries = parse(lines)
    for number, entry in enumerate(entries):
        if len(entry.reason) < 10:
            faults.append(f"{entry.case}: no reason is given")
        if not any(entry.matches(case) for case in cases):
            faults.append(f"{entry.case}: there is no such case any more")
        if entry in entries[:number]:
            faults.append(f"{entry.case}: stands here twice")
    return faults
