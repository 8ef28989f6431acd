#!/usr/bin/env python3
"""Write scores.json: answers, what is right, and the score that VLMEvalKit's own functions give.

Usage: make.py VLMEVALKIT > scores.json     with a checkout of open-compass/VLMEvalKit; needs numpy

Each case is [rule, answer, right, score]; right is a list of texts, for "choice" the letter and the choices, for
"recognition" the category first.
"""
import ast
import itertools
import json
import os
import pathlib
import re
import string
import sys
import typing

ROOT = pathlib.Path(sys.argv[1]) / "vlmeval"


def functions(path, names, given):
    """Top-level functions and constants of a file, without what the file imports."""
    tree = ast.parse((ROOT / path).read_text())
    tree.body = [node for node in tree.body if getattr(node, "name", None) in names
                 or isinstance(node, ast.Assign) and node.targets[0].id in names]
    space = dict(given)
    exec(compile(tree, path, "exec"), space)
    return space


misc = functions("smp/misc.py", {"process_punctuation", "istype", "listinstr"}, {})
import numpy as np  # noqa: E402
vqa = functions("dataset/utils/vqa_eval.py", {
    "_process_digit_article", "hit_calculate", "relaxed_correctness", "levenshtein_distance", "anls_compute", "process_answer",
    "process_line"}, {**misc, "np": np, "Optional": typing.Optional})
matching = functions("utils/matching_util.py", {"_VERBOSE_ANSWER_RE", "can_infer_option", "can_infer_text", "can_infer"},
                     {"os": os, "re": re, "string": string, "cp": __import__("copy")})


def answers(rule, text, right):
    method, name = {"relaxed": ("relaxed_accuracy", "ChartQA"), "consensus": ("vqa_score", "TextVQA"),
                    "similarity": ("anls", "DocVQA"), "exact": ("accuracy", "OCRVQA")}[rule]
    line = vqa["process_line"]({"answer": repr(right), "prediction": text.rstrip(".")}, method=method)
    return float(vqa["hit_calculate"]([line], name)[0])


def recognition(text, category, right):
    """OCRBench.evaluate, which is one piece with the reading of files: its lines between."""
    source = (ROOT / "dataset/image_vqa.py").read_text()
    start = source.index("class OCRBench(ImageBaseDataset)")
    body = source[source.index("            if category ==", start):source.index("        final_score_dict = {}", start)]
    space = {"predict": text.rstrip("."), "answers": right, "category": category, "OCRBench_score": {category: 0}}
    exec("\n".join(line[12:] for line in body.splitlines()), space)
    return float(space["OCRBench_score"][category])


def choice(text, letter, choices):
    return float(matching["can_infer"](text.rstrip("."), dict(choices)) == letter)


cases = []
numbers = ["14", "14.0", " 14 ", "14.", "13.3", "13.29", "14.7", "14.71", "14%", "0.14", "0.147", "14 %", "1,400", "1400", "1_400",
           "-14", "+14", "1.4e1", "0", "0.0", "", "nan", "inf", "Yes", "YES.", "yes", "fourteen", "0x0E", ".14", "14.%", "%", "1__4"]
for text, right in itertools.product(numbers, [["14"], ["14%"], ["0"], ["1,400"], ["Yes"], ["0.14", "yes"], [""]]):
    cases.append(["relaxed", text, right, answers("relaxed", text, right)])

ten = ["two"] * 3 + ["2"] * 1 + ["dos"] * 2 + ["a cat", "cat", "the cat", ""]
free = ["2", "two", "Two.", "dos", "cat", "The cat!", "a  cat", "", "3", "cat, dog", "none"]
for text in free:
    cases.append(["consensus", text, ten, answers("consensus", text, ten)])
for text, right in [
        ("don't", ["dont", "don't", "do not"]), ("dont", ["don't"] * 10), ("couldn'tve", ["couldn't've"] * 4),
        ("1,000", ["1000"] * 5), ("1000", ["1,000", "1 000", "1000"]), ("3.5", ["3.5", "35", "3.5."]), ("st. john", ["st john"] * 10),
        ("a/b", ["a b"] * 10), ("a/ b", ["a b", "ab", "a  b"]), ("yes\nno", ["yes no"] * 3), ("ten", ["10"] * 10), ("0", ["none"] * 4),
        ("coca-cola", ["coca cola"] * 9 + ["cocacola"]), ("coca -cola", ["coca cola"] * 9 + ["cocacola"]), ("7up?", ["7up"] * 6),
        ("somebody'd", ["somebodyd"] * 4), ("an a the", ["", "x", "y", ""]), ("\u00e9", ["e\u0301"] * 4), ("'twas", ["twas"] * 2)]:
    cases.append(["consensus", text, right, answers("consensus", text, right)])

for text, right in [
        ("Hello World", ["hello world"]), ("hello  world", ["hello world"]), ("hallo world", ["hello world"]),
        ("hello", ["hello world"]), ("", ["hello"]), ("", [""]), ("abcd", ["ab"]), ("abc", ["ab"]), ("12/5/98", ["12/05/98", "5/12/98"]),
        ("straße", ["strasse"]), ("a" * 100, ["b" * 40]), ("\u00e9", ["e\u0301"]), ("Hello.", ["hello"]), ("x y", ["xy", "x-y"])]:
    cases.append(["similarity", text, right, answers("similarity", text, right)])

for text, right in [("Blue", ["blue"]), (" blue.", ["blue", "red"]), ("blue sky", ["blue"]), ("", [""]), ("red", ["blue", "RED"])]:
    cases.append(["exact", text, right, answers("exact", text, right)])

formula = "Handwritten Mathematical Expression Recognition"
for text, category, right in [
        ("The text is CENTRE.", "Regular Text Recognition", ["centre"]), ("cent re", "Regular Text Recognition", ["centre"]),
        ("open\nhouse", "Scene Text-centric VQA", ["Open House"]), ("x ^ 2 + Y", formula, ["x^2+Y"]), ("x^2+y", formula, ["x^2+Y"]),
        ("12", "Digit String Recognition", ["1", "2"]), ("", "Doc-oriented VQA", ["a", ""]), ("", "Doc-oriented VQA", ["a"]),
        ("\\frac{1}\n{2}", formula, ["\\frac {1} {2}"]), ("total 5.00", "Key Information Extraction", ["5.00"])]:
    cases.append(["recognition", text, [category] + right, recognition(text, category, right)])

animals = {"A": "the cat", "B": "A dog", "C": "cat and dog", "D": "none"}
for text in ["A", "a", "A.", "(B)", "B. A dog", "Answer: C", "The answer is D", "answer is **b**", "A or B", "A B C D", "the cat",
             "The Cat.", "cat and dog", "I see A dog", "Z", "", "none of these", "A because it is small and furry",
             "It is small and furry, so A", "Cannot determine the answer", "The correct answer is c, I think, and not A or B", "E",
             "The answer is a matter of taste", "D: none", "B) A dog\nbecause", "*C*", "A dog is what I see here", "B it is so small", "B it is small", "so B since it is tiny"]:
    for letter in "ABCD":
        cases.append(["choice", text, [letter] + list(animals.values()), choice(text, letter, animals)])

print("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]")
