#!/usr/bin/env python3
"""Have `vl2 ask --schema` answer under random schemas and hold each answer against its schema with Python's jsonschema,
which knows nothing of this project.

Usage: check-schemas.py MODEL [--count N] [--seed N] [--vl2 PATH]
Needs the Python package jsonschema (Debian: python3-jsonschema). Any packed model does; a small one is quick:
  vl2-convert pack Tests/TestSupport/Fixtures/golden/checkpoints/nano-mha -o nano.vl2q
Prints every answer that does not fit, and exits with 1 where there is one.
"""

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile

import jsonschema


class Schemas:
    """Random schemas of what docs/SCHEMA.md says that a schema may hold."""

    NAMES = ["a", "b", "name", "é", "with space", 'x"y', "count", "0"]
    VALUES = ["a", "ab", "b c", 'q"uote', "ü", "\n", 1, -2.5, 1e-7, True, None, [1, "x"], {"k": [None]}]

    def __init__(self, seed):
        self.random = random.Random(seed)

    def next(self):
        """A schema, with two others that it may name, one of which holds itself."""
        tree = {
            "type": "object",
            "properties": {"v": {"type": "integer"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
            "required": ["v"],
        }
        return {**self.schema(3), "$defs": {"leaf": self.schema(0), "tree": tree}}

    def schema(self, depth):
        kinds = ["string", "integer", "number", "boolean", "null", "enum", "const", "types"]
        kinds += ["long", "any"]
        if depth > 0:
            kinds += ["oneOf", "dictionary"]
            kinds += 4 * ["object"] + 3 * ["array"] + ["anyOf", "ref"]
        kind = self.random.choice(kinds)
        if kind == "string":
            return {"type": kind, **self.bounds("minLength", "maxLength", 6, 12)}
        if kind == "long":
            low = self.random.randint(-(2**63), 2**63 - 1)
            return {"type": "integer", "minimum": low, "maximum": min(low + 10 ** self.random.randint(0, 19), 2**63 - 1)}
        if kind == "any":
            return self.random.choice([{}, {"title": "Extra", "default": None}, {"type": "array", "maxItems": 3}])
        if kind == "dictionary":
            return {"type": "object", "additionalProperties": self.schema(depth - 1)}
        if kind == "oneOf":
            return {"oneOf": [self.tagged(number, depth - 1) for number in range(self.random.randint(1, 3))] + [{"type": "null"}]}
        if kind in ("integer", "number"):
            return {"type": kind, **self.interval(kind)}
        if kind in ("boolean", "null"):
            return {"type": kind}
        if kind == "enum":
            return {"enum": self.random.sample(self.VALUES, self.random.randint(1, 5))}
        if kind == "const":
            return {"const": self.random.choice(self.VALUES)}
        if kind == "types":
            types = ["string", "integer", "number", "boolean", "null"]
            return {"type": self.random.sample(types, self.random.randint(1, 4))}
        if kind == "array":
            return {"type": kind, "items": self.schema(depth - 1), **self.bounds("minItems", "maxItems", 3, 4)}
        if kind == "anyOf":
            return {"anyOf": [self.schema(depth - 1) for _ in range(self.random.randint(1, 3))]}
        if kind == "ref":
            return {"$ref": "#/$defs/" + self.random.choice(["leaf", "tree"])}
        names = self.random.sample(self.NAMES, self.random.randint(0, 5))
        schema = {"type": "object", "properties": {name: self.schema(depth - 1) for name in names}}
        if self.chance():
            schema["required"] = [name for name in names if self.chance()]
        if self.chance():
            schema["additionalProperties"] = False
        return schema

    def tagged(self, number, depth):
        """An object that says by a member which it is."""
        properties = {"kind": {"const": f"k{number}"}, "value": self.schema(depth)}
        return {"type": "object", "properties": properties, "required": ["kind"], "discriminator": {"propertyName": "kind"}}

    def chance(self):
        return self.random.random() < 0.5

    def bounds(self, least, most, largest, room):
        """Bounds of a length."""
        count = self.random.randint(0, largest)
        bounds = {least: count} if self.chance() else {}
        if self.chance():
            bounds[most] = count + self.random.randint(0, room)
        return bounds

    def interval(self, kind):
        """Bounds of a number, between which there is one with six decimals."""
        integer = self.random.randint
        low = self.random.choice([integer(-1000, 1000), integer(0, 9), self.random.uniform(-1, 1), integer(0, 10**6) / 7])
        width = self.random.choice([2, 9, 100, 12345] if kind == "integer" else [0.001, 0.5, 3, 1000])
        bounds = {self.random.choice(["minimum", "exclusiveMinimum"]): low} if self.chance() else {}
        if self.chance():
            bounds[self.random.choice(["maximum", "exclusiveMaximum"])] = low + width
        return bounds


def ask(arguments, schema, number, choose):
    """The finished process that answers under a schema."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(schema, file)
        file.flush()
        tokens = choose([20, 80, 200])
        temperature = choose([0, 0.7, 1, 1.5])
        while True:
            words = [arguments.vl2, "ask", "--model", arguments.model, "--schema", file.name, "--seed", str(number)]
            words += ["--temperature", str(temperature), "--max-tokens", str(tokens), "Answer."]
            run = subprocess.run(words, capture_output=True, check=False)
            # Where not even the shortest text fits, the refusal says how many tokens it takes.
            least = re.search(rb"the shortest text takes (\d+) tokens", run.stderr)
            if run.returncode != 64 or not least or int(least[1]) <= tokens:
                return run
            tokens = int(least[1])


def fault(run, schema):
    """What is wrong with an answer; None where it fits."""
    if run.returncode != 0:
        return f"exit status {run.returncode}: {run.stderr.decode(errors='replace').strip()}"
    try:
        jsonschema.Draft202012Validator(schema).validate(json.loads(run.stdout.decode()))
    except (ValueError, jsonschema.ValidationError) as error:
        return str(error).splitlines()[0]
    return None


def main():
    parser = argparse.ArgumentParser(description="Hold answers of vl2 ask --schema against their schemas.")
    parser.add_argument("model")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--vl2", default=".build/release/vl2")
    arguments = parser.parse_args()

    schemas = Schemas(arguments.seed)
    faults = 0
    for number in range(arguments.count):
        schema = schemas.next()
        jsonschema.Draft202012Validator.check_schema(schema)
        run = ask(arguments, schema, number, schemas.random.choice)
        problem = fault(run, schema)
        if problem:
            faults += 1
            print(f"{json.dumps(schema)}\n  {run.stdout.decode(errors='replace').strip()}\n  {problem}", file=sys.stderr)
    print(f"{arguments.count - faults} of {arguments.count} answers fit their schemas")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
