"""pydantic-ai."""

import asyncio
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, create_model
from pydantic_ai import Agent, BinaryContent, NativeOutput, ToolOutput
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from pictures import ALL, COLOUR, FOLLOW_UP, HUGE, PRICE, RECEIPT, SIGN, TWO, endless_schema


class Circle(BaseModel):
    """What is seen of the circle."""
    colour: Literal["red", "green", "blue", "yellow", "black", "white"]
    size: int | None = None


def endless():
    """A class that takes a thousand tokens to fill."""
    [(name, _)] = endless_schema()["properties"].items()
    words = list[Annotated[str, Field(min_length=4, max_length=12)]]
    return create_model("Endless", **{name: (Annotated[words, Field(min_length=150)], ...)})


def agent(server, name="pocket", key=None, output=str, **settings):
    provider = OpenAIProvider(base_url=server.url + "/v1", api_key=key or server.key)
    return Agent(
        OpenAIChatModel(name, provider=provider), output_type=output, retries=0,
        model_settings={"temperature": 0, "timeout": 60, **settings})


def prompt(asked):
    return [*(BinaryContent(data=data, media_type="image/jpeg") for data in asked.pictures()), asked.question]


@pytest.mark.parametrize("asked", ALL, ids=lambda asked: asked.question)
def test_plain(server, asked):
    server.secrets |= asked.secrets()
    ran = agent(server).run_sync(prompt(asked))
    assert ran.output == asked.answer
    assert ran.usage.output_tokens > 0


@pytest.mark.parametrize("asked", [RECEIPT, TWO], ids=lambda asked: asked.question)
def test_streamed(server, asked):
    async def pieces():
        async with agent(server).run_stream(prompt(asked)) as stream:
            got = [piece async for piece in stream.stream_text(delta=True, debounce_by=None)]
            return got, stream.usage
    got, usage = asyncio.run(pieces())
    assert "".join(got) == asked.answer and usage.output_tokens > 0


@pytest.mark.parametrize("output", [Circle, NativeOutput(Circle), ToolOutput(Circle, name="circle")],
                         ids=["default", "native", "tool"])
def test_structured(server, output):
    """By default one tool is `required`; NativeOutput sends the schema itself."""
    assert agent(server, output=output).run_sync(prompt(COLOUR)).output.colour == "yellow"


def test_conversation_goes_on(server):
    first = agent(server).run_sync(prompt(PRICE))
    second = agent(server).run_sync(FOLLOW_UP.question, message_history=first.all_messages())
    assert second.output == FOLLOW_UP.answer


def test_instructions(server):
    provider = OpenAIProvider(base_url=server.url + "/v1", api_key=server.key)
    instructed = Agent(OpenAIChatModel("pocket", provider=provider), instructions="You look at drawn pictures.")
    assert instructed.run_sync(prompt(SIGN), model_settings={"temperature": 0}).output == SIGN.answer


def test_wrong_key(server):
    with pytest.raises(ModelHTTPError) as caught:
        agent(server, key="wrong").run_sync(prompt(SIGN))
    assert caught.value.status_code == 401


def test_wrong_model(server):
    with pytest.raises(ModelHTTPError, match="gpt-4o") as caught:
        agent(server, name="gpt-4o").run_sync(prompt(SIGN))
    assert caught.value.status_code == 404


def test_picture_of_too_many_pixels(server):
    with pytest.raises(ModelHTTPError, match="40000") as caught:
        agent(server).run_sync([BinaryContent(data=HUGE, media_type="image/png"), "What is it?"])
    assert caught.value.status_code in (400, 413)


def test_cancelled_stream(server):
    async def some_of_it():
        async with agent(server, output=NativeOutput(endless()), max_tokens=1700).run_stream(prompt(COLOUR)) as stream:
            async for _ in stream.stream_response(debounce_by=None):
                break
    for _ in range(6):        # more often than there are places in the queue
        asyncio.run(some_of_it())
    server.honest(SIGN)
