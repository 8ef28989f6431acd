"""The list of cases that are left out is held to what it promises."""

from left_out import check, parse

CASES = ["unit/test_a.py::test_one", "unit/test_a.py::test_two[x-1]", "unit/test_a.py::test_two[y-2]", "unit/test_b.py::test_three"]


def left(*lines):
    return [case for case in CASES if any(entry.matches(case) for entry in parse(lines))]


def test_what_a_line_names():
    assert left("unit/test_a.py  # a whole file") == CASES[:3]
    assert left("unit/test_a.py::test_two  # all its parameters") == CASES[1:3]
    assert left("unit/test_a.py::test_two[x-...  # one of them") == CASES[1:2]
    assert left("unit/test_a.py::test_on  # begins like a case, and is none") == []
    assert left("", "# for readers") == []


def test_faults_are_found():
    assert check(CASES, ["unit/test_a.py::test_one  # it needs a moon"]) == []
    assert "no such case" in check(CASES, ["unit/test_a.py::test_gone  # it needs a moon"])[0]
    assert "no reason" in check(CASES, ["unit/test_a.py::test_one"])[0]
    assert "no reason" in check(CASES, ["unit/test_a.py::test_one  # "])[0]
    assert "twice" in check(CASES, 2 * ["unit/test_a.py::test_one  # it needs a moon"])[0]
