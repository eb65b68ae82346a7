"""``hikae agent``: the service itself, in the foreground."""

from __future__ import annotations

import click

from agent.cli.context import Context
from agent.process.lean_imports import import_grpc, import_structlog
from agent.process.shedding import import_shed

LEVELS = ("debug", "info", "warning", "error")


@click.command()
@click.option("--log-level", type=click.Choice(LEVELS), default="info", show_default=True, help="What to log.")
@click.option("--log-json/--log-text", default=None, help="The log's form; default: text on a terminal, else JSON.")
@click.option(
    "--web/--no-web",
    default=True,
    envvar="HIKAE_WEB",
    help="Whether to start hikae web beside it, where [health] or [console] is configured.",
)
@click.pass_obj
def agent(context: Context, log_level: str, log_json: bool | None, web: bool) -> int:
    """Run the agent in the foreground.

    It ends with SIGTERM or Ctrl-C, everything durable; SIGHUP reads the configuration again. Under systemd: systemctl start
    hikae."""
    import_shed()
    from agent.config import load

    settings = load(context.config_path)
    import_structlog()
    from agent.status.log import configure

    configure(log_json, log_level)
    # Only now: what stands behind it (gRPC, SQLite) takes longer to import than a wrong configuration takes to name.
    import_grpc()
    from agent.process.service import run

    return run(settings, web=web)
