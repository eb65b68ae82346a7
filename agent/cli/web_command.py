"""``hikae web``: the second process, which serves health, metrics and status over HTTP."""

from __future__ import annotations

import os

import click

from agent.cli.agent_command import LEVELS
from agent.cli.context import Context
from agent.config import load
from agent.status.log import configure


@click.command()
@click.option("--log-level", type=click.Choice(LEVELS), default="info", show_default=True, help="What to log.")
@click.option("--log-json/--log-text", default=None, help="The log's form; default: text on a terminal, else JSON.")
@click.option(
    "--beside", type=int, hidden=True, help="Process id of the agent that started it, and whose state ends it."
)
@click.pass_obj
def web(context: Context, log_level: str, log_json: bool | None, beside: int | None) -> None:
    """Answer load balancers, Prometheus and people over HTTP, in the foreground.

    It reads what the agent publishes and nothing else, so it answers while the agent works, hangs or restarts; a state older than
    15 s is 503. As root it becomes the account hikae first. The agent starts one where [health] or [console] is configured; as a
    unit of its own: systemctl enable --now hikae-web."""
    settings = load(context.config_path)
    configure(log_json, log_level)
    from agent.web.start import WebSettings, start_web

    health, console = settings.health, settings.console
    start_web(
        WebSettings(
            directory=os.path.dirname(settings.node.admin_socket),
            health=health.listen,
            agent_check=health.agent_check,
            console=console.listen,
            token_file=console.token_file,
            cert=console.cert,
            key=console.key,
            client_ca=console.client_ca,
            client_crl=console.client_crl,
            node_key=settings.tls.key,
        ),
        beside,
    )
