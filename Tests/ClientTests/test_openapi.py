"""docs/openapi.yaml is what the server does: schemathesis makes requests of it, right ones and wrong ones, and holds the
answers against it."""

import atexit
import shutil
import tempfile
import time
from pathlib import Path

import hypothesis
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance, ignored_auth, response_headers_conformance, response_schema_conformance,
    status_code_conformance, unsupported_method)

from pictures import POCKET, SIGN
from server import ROOT

# What is asked of every answer: no 5xx, no status, type, header or form that the file does not know, no way round the key.
# That everything else than the file describes is refused is not asked: unknown fields are ignored on purpose.
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance, ignored_auth, unsupported_method]
TOKENS = 4

# A camera, so that the addresses are there which show it.
CAMERA = Path(tempfile.mkdtemp())
atexit.register(shutil.rmtree, CAMERA, ignore_errors=True)
(CAMERA / "pictures").mkdir()
shutil.copy(POCKET / SIGN.files[0], CAMERA / "pictures")
(CAMERA / "watch.yaml").write_text(
    f"camera: {CAMERA}/pictures\nquestions: [{{name: sign, ask: '{SIGN.question}', max_tokens: {TOKENS}}}]\n")
OPTIONS = ["--watch", CAMERA / "watch.yaml"]

# It has no end; test_kiosk.py follows it.
ENDLESS = "/live/events"

file = schemathesis.openapi.from_path(ROOT / "docs/openapi.yaml")


def short(body):
    """The same request, so that its answer takes no long time. What is wrong in it stays wrong."""
    if not isinstance(body, dict):
        return body
    if "input" not in body and ("options" in body or "prompt" in body or "images" in body):
        options = body.get("options")
        if options is None:
            options = {}
        if isinstance(options, dict) and is_long(options.get("num_predict")):
            body = {**body, "options": {**options, "num_predict": TOKENS}}
        return body
    for name in ["max_tokens", "max_completion_tokens", "max_output_tokens"]:
        if is_long(body.get(name)):
            body = {**body, name: TOKENS}
    return body


def is_long(tokens):
    return tokens is None or isinstance(tokens, int) and not isinstance(tokens, bool) and tokens not in range(TOKENS)


@file.exclude(path=ENDLESS).parametrize()
@hypothesis.settings(
    max_examples=200, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(hypothesis.HealthCheck))
def test_answers_are_as_described(case, server):
    if case.method == "POST" and case.path.endswith(("completions", "/responses", "/api/chat", "/api/generate")):
        case.body = short(case.body)
    headers = {"Authorization": f"Bearer {server.key}"}
    case.call_and_validate(base_url=server.url, headers=headers, checks=CHECKS, timeout=60)


def test_the_server_still_answers(server):
    server.honest(SIGN)


def test_every_route_is_described(server):
    """An address that works and stands nowhere is one that nobody looks after."""
    end = time.monotonic() + 60
    while server.get("/live/frame.jpg")[0] == 503 and time.monotonic() < end:
        time.sleep(0.05)    # the camera's first picture
    for path in file.raw_schema["paths"]:
        filled = path.replace("{model}", "pocket")
        method = next(iter(set(file.raw_schema["paths"][path]) & {"get", "post"})).upper()
        if path == ENDLESS:
            method = "HEAD"
        status, _, _ = server.request(method, filled, b"{}" if method == "POST" else None, {"Content-Type": "application/json"})
        assert status in (200, 202, 400), (method, path, status)
