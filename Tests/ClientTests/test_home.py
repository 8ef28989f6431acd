"""Requests of LLM Vision and of Home Assistant's own integrations. Written by us from descriptions of what they send, not
recorded: neither can be installed where these tests run."""

import json

import jsonschema
import pytest

from pictures import COLOUR, COLOURS, RECEIPT, SIGN, TWO

# LLM Vision's Ollama and LocalAI providers can send no key; a board at home gives them their network instead.
OPTIONS = ["--allow", "127.0.0.0/8"]


def test_without_a_key(server):
    status, _, answer = server.get("/api/tags", key=False)
    assert status == 200 and answer["models"][0]["model"]


def ndjson(body):
    return [json.loads(line) for line in body.decode().splitlines()]


# LLM Vision


def llm_vision(asked, **more):
    """Its Ollama request has pictures twice, and fields that belong to /api/generate."""
    pictures = asked.coded()
    return {
        "model": "pocket", "stream": False, "system": "You look at pictures.", "prompt": [], "images": pictures,
        "messages": [{"role": "user", "content": asked.question, "images": pictures}],
        "options": {"num_predict": 100, "temperature": 0, "top_p": 0.9, "num_ctx": 2048}, "keep_alive": "5m",
        "think": False, **more}


@pytest.mark.parametrize("asked", [SIGN, RECEIPT, TWO], ids=lambda asked: asked.question)
def test_llm_vision_ollama(server, asked):
    server.secrets |= asked.secrets()
    status, _, answer = server.post("/api/chat", llm_vision(asked), key=False)
    assert status == 200, answer
    assert answer["message"]["content"] == asked.answer and answer["done"] is True


def test_llm_vision_ollama_schema(server):
    schema = {"type": "object", "properties": {"colour": {"type": "string", "enum": COLOURS}}, "required": ["colour"]}
    status, _, answer = server.post("/api/chat", llm_vision(COLOUR, format=schema), key=False)
    assert status == 200 and json.loads(answer["message"]["content"]) == {"colour": "yellow"}


def test_llm_vision_ollama_error(server):
    """It shows `error` to its user, and can show nothing but text."""
    for body in [llm_vision(SIGN, model="llava"), llm_vision(SIGN, format={"type": "hiccup"})]:
        status, _, answer = server.post("/api/chat", body, key=False)
        assert status in (400, 404) and isinstance(answer["error"], str)


def test_llm_vision_localai(server):
    assert server.get("/readyz", key=False)[0] == 200
    status, _, answer = server.post("/v1/chat/completions", {
        "model": "pocket", "max_completion_tokens": 100, "temperature": 0,
        "messages": [
            {"role": "system", "content": "You look at pictures."},
            {"role": "user", "content": [
                {"type": "text", "text": "Image 1:"}, {"type": "image_url", "image_url": {"url": COLOUR.urls()[0]}},
                {"type": "text", "text": COLOUR.question}]}],
        "response_format": {"type": "json_schema", "json_schema": {
            "name": "response", "strict": False,
            "schema": {"type": "object", "properties": {"title": {"type": "string", "maxLength": 20}, "colour": {"enum": COLOURS}},
                       "required": ["title", "colour"], "additionalProperties": False}}}}, key=False)
    assert status == 200, answer
    assert set(json.loads(answer["choices"][0]["message"]["content"])) == {"title", "colour"}


def test_llm_vision_custom_openai(server):
    """Set-up says `Hi` without saying how long the answer may be; then pictures come each behind a text."""
    headers = {"Authorization": f"Bearer {server.key}"}
    status, _, answer = server.post(
        "/v1/chat/completions", {"model": "pocket", "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]},
        headers=headers)
    assert status == 200 and answer["choices"][0]["message"]["content"] is not None
    content = [part for number, picture in enumerate(TWO.content()[:-1], 1)
               for part in ({"type": "text", "text": f"Image {number}:"}, picture)]
    status, _, answer = server.post("/v1/chat/completions", {
        "model": "pocket", "max_completion_tokens": 100, "temperature": 0, "top_p": 1.0,
        "messages": [{"role": "user", "content": [*content, {"type": "text", "text": TWO.question}]}]}, headers=headers)
    assert status == 200 and answer["choices"][0]["message"]["content"].strip()


# Home Assistant


def test_home_assistant_finds_its_model(server):
    """The name that /api/tags says is compared letter by letter with the one that was set up; else it is pulled."""
    [model] = server.get("/api/tags")[2]["models"]
    status, headers, answer = server.request("POST", "/api/pull", {"model": model["model"], "stream": True})
    assert status == 200 and ndjson(answer)[-1]["status"] == "success"
    assert server.post("/api/show", {"model": model["model"]})[0] == 200


def test_home_assistant_ai_task(server):
    """A picture attached, an answer in parts under a schema written as OpenAPI writes them."""
    schema = {
        "type": "object", "required": ["colour"],
        "properties": {"colour": {"type": "string", "description": "its colour", "nullable": False, "enum": COLOURS},
                       "size": {"type": "integer", "nullable": True, "format": "int64"}},
    }
    status, headers, answer = server.request("POST", "/api/chat", {
        "model": "pocket", "stream": True, "format": schema, "think": False, "keep_alive": -1.0, "tools": [],
        "options": {"num_ctx": 8192, "temperature": 0},
        "messages": [
            {"role": "system", "content": "You are a home."},
            {"role": "user", "content": COLOUR.question, "images": COLOUR.coded()}]})
    assert status == 200 and headers["Content-Type"].startswith("application/x-ndjson")
    lines = ndjson(answer)
    text = "".join(line["message"]["content"] for line in lines)
    assert json.loads(text)["colour"] == "yellow"
    assert all(line["message"]["role"] == "assistant" for line in lines)
    assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]
    assert lines[-1]["done_reason"] == "stop"


def test_home_assistant_conversation(server):
    """Turns with earlier tool calls, as its history keeps them."""
    status, _, answer = server.post("/api/chat", {
        "model": "pocket", "stream": False, "options": {"temperature": 0, "num_ctx": 8192},
        "tools": [{"type": "function", "function": {"name": "GetState", "parameters": {"type": "object", "properties": {}}}}],
        "messages": [
            {"role": "system", "content": "You are a home."},
            {"role": "user", "content": "Is the light on?"},
            {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "GetState", "arguments": {"name": "light"}}}]},
            {"role": "tool", "content": '{"state": "on"}', "tool_name": "GetState"},
            {"role": "user", "content": SIGN.question, "images": SIGN.coded()}]})
    assert status == 200, answer
    assert answer["message"]["content"] == SIGN.answer


@pytest.mark.parametrize("schema", [
    {"type": "object", "properties": {"a": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None, "title": "A"}}, "required": ["a"]},
    {"type": "object", "properties": {"a": {"$ref": "#/$defs/A", "title": "The a", "default": "x"}}, "required": ["a"],
     "$defs": {"A": {"type": "string", "enum": ["x", "y"], "title": "A"}}},
    {"type": "object", "properties": {"title": {"type": "string", "maxLength": 9}}, "required": ["title"], "strict": True},
    {"type": "object", "properties": {"a": {"type": "string", "nullable": True, "maxLength": 5}}, "required": ["a"]},
    {"type": "object", "properties": {"a": {"type": "integer", "minimum": -9223372036854775808, "maximum": 9223372036854775807}}, "required": ["a"]},
    {"type": "array", "items": {"type": "string", "minLength": 2, "maxLength": 4}, "minItems": 2, "maxItems": 3},
    {"type": "object", "properties": {}, "additionalProperties": False},
], ids=["any-of-null", "ref-with-default", "strict-inside", "nullable", "64-bit", "items", "empty"])
def test_schemas_as_clients_write_them(server, schema):
    status, _, answer = server.post("/api/chat", {
        "model": "pocket", "stream": False, "format": schema, "options": {"num_predict": 100},
        "messages": [{"role": "user", "content": "Answer in JSON."}]})
    assert status == 200, answer
    instance = json.loads(answer["message"]["content"])
    if schema.get("properties", {}).get("a", {}).get("nullable") and instance["a"] is None:
        return        # JSON Schema has no `nullable`; it is OpenAPI's
    jsonschema.validate(instance, schema)
