"""What people and Prometheus ask: ``/status``, ``/metrics`` and a page of text, for who carries the token where there is one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agent.status.page import status_page
from agent.web.access import Gatekeeper
from agent.web.health import METHODS, answered, refused, said
from agent.web.looking import Published, StateLook
from agent.web.metrics import METRICS_TYPE, metrics_text
from agent.web.questions import JSON_TYPE, Answer

_WIDTH = 100


def console_app(published: Published, keeper: Gatekeeper) -> Starlette:
    """The application on ``[console] listen``. Without a token it answers what anybody on the machine may read."""

    def route(path: str, answers: Callable[[StateLook], Answer]) -> Route:
        async def handle(request: Request) -> Response:
            if not keeper.lets_in(request.scope["headers"]):
                return _unknown(request)
            if request.url.query:
                return said(request.method, Answer(400, "this address takes no parameters"))
            look = published.full() if keeper.full else published.public()
            return said(request.method, answered(lambda: answers(look)))

        return Route(path, handle, methods=METHODS)

    routes = [route("/", _page), route("/status", _status), route("/metrics", _metrics)]
    return Starlette(routes=routes, exception_handlers={HTTPException: refused})


def _unknown(request: Request) -> Response:
    response = said(request.method, Answer(401, "a token is asked for: Authorization: Bearer TOKEN"))
    response.headers["www-authenticate"] = 'Bearer realm="hikae"'
    return response


def _status(look: StateLook) -> Answer:
    value = look.fresh
    if value is None:
        return Answer(503, json.dumps({"stale": True, "age_seconds": _age(look)}), JSON_TYPE)
    return Answer(200, json.dumps({**value, "age_seconds": _age(look)}), JSON_TYPE)


def _metrics(look: StateLook) -> Answer:
    """Always answered: that the state is stale is what is measured then."""
    return Answer(200, metrics_text(look).rstrip("\n"), METRICS_TYPE)


def _page(look: StateLook) -> Answer:
    value = look.fresh
    if value is None:
        return Answer(503, "no agent says how it is: systemctl status hikae")
    return Answer(200, status_page(value, _WIDTH).plain)


def _age(look: StateLook) -> float | None:
    return round(look.age, 3) if math.isfinite(look.age) else None
