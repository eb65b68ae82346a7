"""What load balancers ask: codes and one word, for anybody, from the state that holds no secret."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from urllib.parse import parse_qs

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agent.web.looking import Published, StateLook
from agent.web.questions import Answer, RoleAsked, WrongQuestion, answer, question_of

METHODS = ["GET", "HEAD", "OPTIONS"]
#: An answer is true now.
HEADERS = {"cache-control": "no-store"}
_MOST_PARAMETERS = 8
#: Of a request's state: what answers it at any time, for who knows the same request again.
ANSWERS = "answers"
AnswersNow = Callable[[], Answer]

_log = structlog.get_logger("web")


def health_app(published: Published) -> Starlette:
    """The application on ``[health] listen``."""
    routes = [
        _route("/livez", lambda _: lambda: Answer(200, "alive")),
        _route("/readyz", lambda _: lambda: ready(published.public())),
    ]
    for asked in RoleAsked:
        ask = partial(_asked, published, asked)
        routes += [_route(f"{place}/{asked}", ask) for place in ("", "/datasets/{dataset}", "/groups/{group}")]
    return Starlette(routes=routes, exception_handlers={HTTPException: refused})


def ready(look: StateLook) -> Answer:
    """Whether the agent's state is there and fresh."""
    return Answer(200, "ready") if look.fresh is not None else Answer(503, "stale")


def _asked(published: Published, asked: RoleAsked, request: Request) -> AnswersNow:
    try:
        parameters = parse_qs(
            request.url.query,
            keep_blank_values=True,
            strict_parsing=bool(request.url.query),
            max_num_fields=_MOST_PARAMETERS,
        )
        question = question_of(asked, parameters, request.path_params.get("dataset"), request.path_params.get("group"))
    except WrongQuestion as error:
        return partial(Answer, 400, str(error))
    except ValueError:
        return partial(Answer, 400, "the parameters cannot be read: write NAME=VALUE, with & between them")
    return lambda: answer(published.public(), question)


def _route(path: str, asks: Callable[[Request], AnswersNow]) -> Route:
    """``asks``: what a request asks for, which is answered anew each time that the same one comes."""

    async def handle(request: Request) -> Response:
        answers = partial(answered, asks(request))
        setattr(request.state, ANSWERS, answers)
        return said(request.method, answers())

    return Route(path, handle, methods=METHODS)


def said(method: str, answer: Answer) -> Response:
    """The response; HEAD and OPTIONS get the code alone."""
    headers = {**HEADERS, "allow": ", ".join(METHODS)} if answer.code == 405 or method == "OPTIONS" else HEADERS
    body = f"{answer.body}\n" if method == "GET" else ""
    return Response(body, answer.code, headers, answer.kind)


async def refused(request: Request, error: Exception) -> Response:
    """An address or a method that is none of ours, in one sentence."""
    assert isinstance(error, HTTPException)
    words = {404: "there is nothing at this address", 405: "only GET, HEAD and OPTIONS are answered"}
    return said(request.method, Answer(error.status_code, words.get(error.status_code, error.detail)))


def answered(answers: Callable[[], Answer]) -> Answer:
    """The answer, or none for the state of a release that left out what this one needs: nobody is sent here by that."""
    try:
        return answers()
    except (KeyError, TypeError, ValueError, AttributeError):
        _log.exception("the published state is not understood; is this process of another release?")
        return Answer(503, "not-understood")
