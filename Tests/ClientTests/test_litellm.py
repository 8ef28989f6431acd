"""litellm, which speaks both dialects: openai/ and, of Ollama's, /api/chat and /api/generate."""

import asyncio
import contextlib
import json
from typing import Literal

import jsonschema
import litellm
import pytest
from pydantic import BaseModel

from pictures import ALL, COLOUR, COLOURS, HUGE_URL, RECEIPT, SIGN, TWO, endless_schema

litellm.telemetry = False
litellm.num_retries = 0

WAYS = ["openai", "ollama_chat", "ollama"]
SCHEMA = {"type": "object", "properties": {"colour": {"type": "string", "enum": COLOURS}}, "required": ["colour"]}


class Circle(BaseModel):
    colour: Literal["red", "green", "blue", "yellow", "black", "white"]


def arguments(server, way, asked, model="pocket", key=None, **more):
    base = server.url + ("/v1" if way == "openai" else "")
    return {
        "model": f"{way}/{model}", "api_base": base, "api_key": key or server.key, "temperature": 0, "timeout": 60,
        "messages": [{"role": "user", "content": asked.content()}], **more}


def complete(server, way, asked, **more):
    return litellm.completion(**arguments(server, way, asked, **more))


@pytest.mark.parametrize("asked", ALL, ids=lambda asked: asked.question)
@pytest.mark.parametrize("way", WAYS)
def test_plain(server, way, asked):
    server.secrets |= asked.secrets()
    answer = complete(server, way, asked)
    # What ollama/ makes of a conversation, "### User:" before it, pocket may answer in more words.
    assert asked.answer in answer.choices[0].message.content
    assert way == "ollama" or answer.choices[0].message.content == asked.answer
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens > 49 and answer.usage.completion_tokens > 0


@pytest.mark.parametrize("asked", [RECEIPT, TWO], ids=lambda asked: asked.question)
@pytest.mark.parametrize("way", WAYS)
def test_streamed(server, way, asked):
    chunks = list(complete(server, way, asked, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices).strip() == asked.answer
    assert chunks[-1].usage.completion_tokens > 0


@pytest.mark.parametrize("way", WAYS)
def test_schema(server, way):
    answer = complete(server, way, COLOUR, response_format={
        "type": "json_schema", "json_schema": {"name": "circle", "strict": True, "schema": SCHEMA}})
    jsonschema.validate(json.loads(answer.choices[0].message.content), SCHEMA)


@pytest.mark.parametrize("way", WAYS)
def test_schema_of_a_class(server, way):
    answer = complete(server, way, COLOUR, response_format=Circle)
    assert Circle.model_validate_json(answer.choices[0].message.content)


def test_forced_tool(server):
    """Only the OpenAI dialect has a way to force one."""
    answer = complete(
        server, "openai", COLOUR, tool_choice="required",
        tools=[{"type": "function", "function": {"name": "report", "parameters": SCHEMA}}])
    [call] = answer.choices[0].message.tool_calls
    assert call.function.name == "report" and json.loads(call.function.arguments) == {"colour": "yellow"}
    assert answer.choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize("way", WAYS)
def test_wrong_key(server, way):
    with pytest.raises(Exception) as caught:
        complete(server, way, SIGN, key="wrong")
    assert caught.value.status_code == 401 or "401" in str(caught.value) or "key" in str(caught.value).lower()


@pytest.mark.parametrize("way", WAYS)
def test_wrong_model(server, way):
    with pytest.raises(Exception, match="gpt-4o-board"):
        complete(server, way, SIGN, model="gpt-4o-board")


@pytest.mark.parametrize("way", WAYS)
def test_picture_of_too_many_pixels(server, way):
    with pytest.raises(Exception, match="40000"):
        complete(server, way, SIGN, messages=[{"role": "user", "content": [
            {"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": HUGE_URL}}]}])


@pytest.mark.parametrize("way", WAYS)
def test_cancelled_stream(server, way):
    async def some_of_it():
        stream = await litellm.acompletion(**arguments(
            server, way, COLOUR, stream=True, max_tokens=1700, response_format={
                "type": "json_schema", "json_schema": {"name": "endless", "strict": True, "schema": endless_schema()}}))
        # ollama/ gives an answer in JSON only when it is over: there it is the task that is cancelled.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await anext(stream)
        await stream.aclose()
    for _ in range(6):        # more often than there are places in the queue
        asyncio.run(some_of_it())
    server.honest(SIGN)
