"""Frigate's three providers (openai, ollama, llama.cpp): frigate.jsonl holds their requests as they sent them, and these
tests read of each answer what the providers read.

The recording's long wording was replaced, its pictures were cut; `{jpeg}` and `{webp}` stand for them, and pictures of
the evaluation are put there. WebP bytes are called image/jpeg, as Frigate does."""

import io
import json
import re
from pathlib import Path

import jsonschema
import pytest
from PIL import Image

from pictures import BAR, COLOUR, RECEIPT
from server import base64_of

RECORDED = [json.loads(line) for line in Path(__file__).with_name("frigate.jsonl").read_text().splitlines()]
OPTIONS = ["--alias", "pocket", "--alias", "vision"]


def webp(data):
    packed = io.BytesIO()
    Image.open(io.BytesIO(data)).save(packed, "WEBP", quality=90)
    return packed.getvalue()


PICTURES = {"{jpeg}": base64_of(COLOUR.pictures()[0]), "{webp}": base64_of(webp(BAR.pictures()[0]))}


def with_pictures(value):
    if isinstance(value, dict):
        return {name: with_pictures(member) for name, member in value.items()}
    if isinstance(value, list):
        return [with_pictures(element) for element in value]
    if isinstance(value, str):
        return re.sub(r"\{jpeg\}|\{webp\}", lambda found: PICTURES[found[0]], value)
    return value


def with_the_key(headers, key):
    """The recording was made with the key `k`."""
    return {name: f"Bearer {key}" if name.lower() == "authorization" else value for name, value in headers.items()}


def replay(server, one):
    body = None if one["body"] is None else json.dumps(with_pictures(one["body"])).encode()
    status, headers, answer = server.request(one["method"], one["path"], body, with_the_key(one["headers"], server.key), key=False)
    assert headers["Content-Type"].startswith("application/json"), headers["Content-Type"]
    return status, json.loads(answer)


def schema_of(body):
    """The review's schema, wherever this provider puts it; None where the request is about one object."""
    if body and "response_format" in body:
        return body["response_format"]["json_schema"]["schema"]
    return (body or {}).get("format")


def described(one):
    return f"{one['client'].split()[1]} {one['method']} {one['path']}" + (" review" if schema_of(one["body"]) else "")


@pytest.mark.parametrize("one", RECORDED, ids=described)
def test_recorded(server, one):
    server.secrets |= {"What is it?", *PICTURES.values()}
    status, answer = replay(server, one)
    if one["path"] == "/upstream/pocket/props":
        # Asked only where /props fails; it is another program's address.
        assert status == 404 and answer["error"]
        return
    assert status == 200, answer
    READ[one["path"].split("?")[0]](answer, one["body"])


def read_models(answer, _):
    entries = [entry for entry in answer["data"] if "pocket" in {entry["id"], *entry["aliases"]}]
    assert len(entries) == 1 and "vision" in entries[0]["aliases"]
    assert "image" in entries[0]["architecture"]["input_modalities"]
    assert entries[0]["meta"]["n_ctx"] == entries[0]["max_model_len"] == 2048


def read_props(answer, _):
    assert answer["default_generation_settings"]["n_ctx"] == 2048
    assert answer["modalities"]["vision"] is True
    assert isinstance(answer["chat_template_caps"]["supports_tools"], bool)
    assert answer.get("media_marker") is None or isinstance(answer["media_marker"], str)
    assert "enable_thinking" not in (answer.get("chat_template") or "")


def read_show(answer, _):
    assert not answer.get("error") and "thinking" not in answer["capabilities"]
    assert "vision" in answer["capabilities"]


def read_tags(answer, _):
    assert [model.get("name", model.get("model", "")).removesuffix(":latest") for model in answer["models"]] == ["pocket"]


def read_completion(answer, body):
    choice = answer["choices"][0]
    assert choice["finish_reason"] in ("stop", "length")
    assert not choice["message"].get("reasoning_content")
    read_text(choice["message"]["content"], body)
    assert isinstance(answer["usage"]["prompt_tokens"], int) and isinstance(answer["usage"]["completion_tokens"], int)


def read_generated(answer, body):
    assert answer["done"] is True and answer["done_reason"] in ("stop", "length")
    assert isinstance(answer["eval_count"], int) and isinstance(answer["prompt_eval_count"], int)
    assert isinstance(answer["eval_duration"], int) and answer["eval_duration"] > 0
    read_text(answer["response"], body)


def read_text(text, body):
    assert text.strip()
    if schema := schema_of(body):
        jsonschema.validate(json.loads(text), schema)


READ = {
    "/v1/models": read_models, "/props": read_props, "/api/show": read_show, "/api/tags": read_tags,
    "/v1/chat/completions": read_completion, "/api/generate": read_generated,
}


def test_review_with_other_concerns(server):
    """The newer schema has a list that may be null, with a title and a default beside `anyOf`."""
    review = next(one for one in RECORDED if one["client"] == "frigate llamacpp" and schema_of(one["body"]))
    body = with_pictures(json.loads(json.dumps(review["body"])))
    schema = schema_of(body)
    schema["properties"]["other_concerns"] = {
        "anyOf": [{"items": {"type": "string", "maxLength": 60}, "type": "array"}, {"type": "null"}],
        "default": None, "title": "Other Concerns", "description": "what this field holds"}
    schema["required"].append("other_concerns")
    status, _, answer = server.post("/v1/chat/completions", body)
    assert status == 200, answer
    jsonschema.validate(json.loads(answer["choices"][0]["message"]["content"]), schema)


@pytest.mark.parametrize("size", [(300, 300), (640, 360), (175, 175)], ids=str)
def test_cost_of_a_picture(server, size):
    """What the llama.cpp provider asks to learn how many frames fit: one token about a grey picture, and about none."""
    packed = io.BytesIO()
    Image.new("RGB", size, (128, 128, 128)).save(packed, "JPEG", quality=60)
    url = "data:image/jpeg;base64," + base64_of(packed.getvalue())

    def tokens(*more):
        status, _, answer = server.post("/v1/chat/completions", {
            "model": "vision", "max_tokens": 1,
            "messages": [{"role": "user", "content": [{"type": "text", "text": "."}, *more]}]})
        assert status == 200, answer
        return answer["usage"]["prompt_tokens"]
    assert tokens({"type": "image_url", "image_url": {"url": url}}) - tokens() > 49


def test_chat_streamed_by_lines(server):
    """The llama.cpp provider reads lines that begin with exactly `data: `, and counts from usage or timings."""
    body = {"model": "pocket", "stream": True, "stream_options": {"include_usage": True}, "timings_per_token": True,
            "temperature": 0, "tool_choice": "auto", "chat_template_kwargs": {"enable_thinking": False},
            "tools": [{"type": "function", "function": {"name": "live_context", "parameters": {"type": "object", "properties": {}}}}],
            "messages": [{"role": "system", "content": "You look at cameras."},
                         {"role": "user", "content": RECEIPT.content()}]}
    status, headers, answer = server.request("POST", "/v1/chat/completions", body)
    assert status == 200 and headers["Content-Type"].startswith("text/event-stream")
    lines = answer.decode().split("\n")
    data = [line[6:] for line in lines if line.startswith("data: ")]
    assert data.pop() == "[DONE]"
    assert all(line == "" or line.startswith(("data: ", ":")) for line in lines)
    chunks = [json.loads(one) for one in data]
    text = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
    assert text == RECEIPT.answer
    assert any((chunk.get("usage") or {}).get("completion_tokens") for chunk in chunks)
    assert any((chunk.get("timings") or {}).get("predicted_per_second", 0) > 0 for chunk in chunks)


def test_a_model_that_is_not_there(server):
    """The Ollama provider's set-up shows this sentence to its user."""
    status, _, answer = server.post("/api/show", {"model": "llava"})
    assert status == 404 and "llava" in answer["error"]
