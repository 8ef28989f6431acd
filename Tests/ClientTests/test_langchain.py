"""langchain-openai."""

import asyncio
from typing import Literal

import openai
import pytest
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage, AIMessage
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, Field, SecretStr

from pictures import ALL, COLOUR, HUGE_URL, RECEIPT, SIGN, TWO, endless_schema


class Circle(BaseModel):
    """What is seen of the circle."""
    colour: Literal["red", "green", "blue", "yellow", "black", "white"] = Field(description="its colour")


def model(server, **more):
    return ChatOpenAI(base_url=server.url + "/v1", **{
        "api_key": SecretStr(server.key), "model": "pocket", "temperature": 0, "max_retries": 0, "timeout": 60, **more})


def human(asked):
    return HumanMessage(content=asked.content())


@pytest.mark.parametrize("asked", ALL, ids=lambda asked: asked.question)
def test_plain(server, asked):
    server.secrets |= asked.secrets()
    answer = model(server).invoke([human(asked)])
    assert answer.content == asked.answer
    assert answer.usage_metadata["output_tokens"] > 0
    assert answer.response_metadata["finish_reason"] == "stop"


def test_its_own_form_of_pictures(server):
    """The package's `image` parts become data: URLs."""
    [picture] = SIGN.coded()
    content = [{"type": "text", "text": SIGN.question}, {"type": "image", "base64": picture, "mime_type": "image/jpeg"}]
    assert model(server).invoke([HumanMessage(content=content)]).content == SIGN.answer


@pytest.mark.parametrize("asked", [RECEIPT, TWO], ids=lambda asked: asked.question)
def test_streamed(server, asked):
    pieces = list(model(server, stream_usage=True).stream([human(asked)]))
    assert "".join(piece.content for piece in pieces) == asked.answer
    assert sum(piece.usage_metadata["output_tokens"] for piece in pieces if piece.usage_metadata) > 0


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_structured_output(server, method):
    answer = model(server).with_structured_output(Circle, method=method).invoke([human(COLOUR)])
    assert answer == Circle(colour="yellow")


def test_structured_output_of_json_mode(server):
    answer = model(server, max_tokens=100).with_structured_output(None, method="json_mode").invoke(
        [SystemMessage(content="Answer in JSON."), human(COLOUR)])
    assert isinstance(answer, dict)


def test_forced_tool(server):
    answer = model(server).bind_tools([Circle], tool_choice="Circle").invoke([human(COLOUR)])
    [call] = answer.tool_calls
    assert call["name"] == "Circle" and call["args"] == {"colour": "yellow"} and call["id"]


def test_forced_tool_streamed(server):
    whole = None
    for piece in model(server).bind_tools([Circle], tool_choice="any").stream([human(COLOUR)]):
        whole = piece if whole is None else whole + piece
    assert whole.tool_calls[0]["args"] == {"colour": "yellow"}


def test_after_a_tool(server):
    """What pocket says is not right any more, having learned of no such turns; that it is asked is what counts."""
    answer = model(server).invoke([
        human(COLOUR),
        AIMessage(content="", tool_calls=[{"name": "Circle", "args": {"colour": "yellow"}, "id": "call_1"}]),
        ToolMessage(content="noted", tool_call_id="call_1"), HumanMessage(content=COLOUR.question)])
    assert answer.content


def test_batch(server):
    answers = model(server).batch([[human(asked)] for asked in [SIGN, COLOUR, TWO, RECEIPT]])
    assert [answer.content for answer in answers] == [SIGN.answer, COLOUR.answer, TWO.answer, RECEIPT.answer]


def test_wrong_key(server):
    with pytest.raises(openai.AuthenticationError):
        model(server, api_key=SecretStr("wrong")).invoke([human(SIGN)])


def test_wrong_model(server):
    with pytest.raises(openai.NotFoundError, match="gpt-4o"):
        model(server, model="gpt-4o").invoke([human(SIGN)])


def test_picture_of_too_many_pixels(server):
    with pytest.raises(openai.APIStatusError, match="40000") as caught:
        model(server).invoke([HumanMessage(content=[{"type": "image_url", "image_url": {"url": HUGE_URL}}])])
    assert caught.value.status_code in (400, 413)


def test_cancelled_stream(server):
    async def some_of_it():
        bound = model(server, max_tokens=1700).bind(response_format={
            "type": "json_schema", "json_schema": {"name": "long", "schema": endless_schema()}})
        stream = bound.astream([human(COLOUR)])
        for _ in range(4):
            await anext(stream)
        await stream.aclose()
    for _ in range(6):        # more often than there are places in the queue
        asyncio.run(some_of_it())
    server.honest(SIGN)
