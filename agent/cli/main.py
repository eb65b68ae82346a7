"""``hikae``: finds the command, and turns every way to fail into one sentence and an exit code."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper

import click

from agent import __version__
from agent.cli.context import DEFAULT_CONFIG, Context
from agent.cli.groups import Group
from agent.cli.output import refusal_lines
from agent.core.errors import ConfigError, Exit, HikaeError, Refused
from agent.status.text import shown, shown_lines

INTERRUPTED = 130
#: What a monitoring plug-in answers that knows nothing.
UNKNOWN = 3

#: Command: its module, and the line that ``--help`` shows without importing it. The order is that of ``--help``.
COMMANDS = {
    "demo": (
        "demo.command",
        "Show the main job on this machine: two agents, live edits, kills, a comparison, a failover.",
    ),
    "status": ("status_commands", "How every dataset is, worst first; of one DATASET, all that is known."),
    "check": ("check_command", "One line and a code for monitoring systems, of all datasets or of one."),
    "doctor": ("host.doctor_command", "Look at this host for what breaks replication now, or a failover later."),
    "events": ("status_commands", "What happened, also who typed what; of one DATASET, or of all."),
    "wait": ("waiting_commands", "Wait until all that was written before now is on the standbys."),
    "verify": ("verify_command", "Compare the standby here with what it should be."),
    "reconcile": ("waiting_commands", "Look at the whole source now."),
    "pause": ("pause_commands", "Stop sending or applying for a while."),
    "resume": ("pause_commands", "End a pause."),
    "rollback": ("history.rollback_command", "Bring the tree on its primary back to an earlier moment."),
    "switchover": (
        "role_changes.switchover_command",
        "Make a standby the primary, and the primary its standby; nothing is lost.",
    ),
    "rejoin": ("role_changes.rejoin_command", "Make this node a standby of the node that was promoted meanwhile."),
    "promote": ("role_changes.promote_command", "Make the standby here the primary, since its primary is dead."),
    "serve": (
        "role_changes.serve_commands",
        "Let this node serve as the primary although not every peer has confirmed it.",
    ),
    "fence": ("role_changes.serve_commands", "Have this primary stop serving and sending."),
    "roles": (
        "role_changes.roles_command",
        "What this node has been to DATASET: each change, who made it, and how long its steps took.",
    ),
    "rehearse": ("role_changes.rehearse_command", "Run the probe on a view of the standby."),
    "accept": ("hold_commands", "Go on although a hold stands."),
    "mark": ("generations_commands", "Name this moment, so that --at LABEL finds it."),
    "generations": ("generations_commands", "Take, list and keep full images of a dataset."),
    "resync": ("hold_commands", "Fill a standby whose directory is gone or another, or a vault that lost packs."),
    "find": ("history.find_command", "Find files in every moment that can be brought back."),
    "restore": (
        "history.restore_command",
        "Bring back a moment, or parts of it, with all metadata; of a device, all of it.",
    ),
    "mount": ("history.mount_command", "Show what can be brought back as a read-only filesystem."),
    "hook": ("hook_commands", "Programs for [dataset.hooks], each done already where it is so already."),
    "reload": ("reload_command", "Let the agent read its configuration again."),
    "dataset": ("dataset_commands", "Delete what is kept of a dataset that is no longer configured."),
    "agent": ("agent_command", "Run the agent in the foreground."),
    "web": ("web_command", "Answer load balancers, Prometheus and people over HTTP, in the foreground."),
    "config": ("host.config_commands", "Check or show the configuration."),
    "pki": ("host.pki_commands", "Make and look after certificates."),
}


class Commands(Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(f"agent.cli.{COMMANDS[cmd_name][0]}"), cmd_name)
        assert isinstance(command, click.Command)
        return with_config(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As a group does; ``help`` and ``version`` are taken for the options that they are elsewhere."""
        if args and args[0] == "help":
            args = [*args[1:], "--help"]
        elif args == ["version"]:
            args = ["--version"]
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])


_EPILOG = """\b
The shell completes commands and options once it is told how, for instance in ~/.bashrc:
  eval "$(_HIKAE_COMPLETE=bash_source hikae)"
zsh_source and fish_source are for these shells."""


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=_EPILOG)
@click.version_option(__version__, prog_name="hikae", message="%(prog)s %(version)s")
@click.option("--config", metavar="FILE", envvar="HIKAE_CONFIG", help=f"The configuration; default {DEFAULT_CONFIG}.")
@click.pass_obj
def cli(context: Context, config: str | None) -> None:
    """Keeps a standby of live directory trees on a second server, and says at any moment how far behind it is."""
    context.config = config or context.config


def with_config(command: click.Command) -> click.Command:
    """The command, and those below it, with ``--config`` also behind their names."""
    if not any(parameter.name == "config" for parameter in command.params):
        command.params.append(
            click.Option(
                ["--config"], metavar="FILE", expose_value=False, callback=_configure, help="As before the command."
            )
        )
    if isinstance(command, click.Group):
        for one in command.commands.values():
            with_config(one)
    return command


def _configure(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.find_root().obj.config = value


def main(arguments: Sequence[str] | None = None, context: Context | None = None) -> int:
    """Run one command line; the exit code. ``arguments`` without the program's name, by default the process's."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        result = cli.main(args=words, prog_name="hikae", standalone_mode=False, obj=context or Context())
    except click.UsageError as error:
        return _misused(error, words)
    except click.ClickException as error:
        error.show()
        return Exit.FAILED
    except (click.Abort, KeyboardInterrupt):
        click.echo("hikae: interrupted", err=True)
        return INTERRUPTED
    except HikaeError as error:
        return _failed(error, "--json" in words)
    except Exception as error:  # noqa: BLE001  an operator gets a sentence, whatever it was
        traceback.print_exc(file=sys.stderr)
        click.echo(f"hikae: {shown(f'{type(error).__name__}: {error}')}; this is a bug in hikae", err=True)
        return Exit.FAILED
    return result if isinstance(result, int) else Exit.DONE


def _misused(error: click.UsageError, words: list[str]) -> int:
    """A plug-in that is called wrongly knows nothing: monitoring systems read that from its code."""
    error.show()
    # Where the value of an option is missing click does not say of which command.
    command = next((word for word in words if word in COMMANDS), "")
    if command == "check" and (error.ctx is None or error.ctx.command_path in ("hikae", "hikae check")):
        click.echo(f"HIKAE UNKNOWN - {shown(error.format_message())}")
        return UNKNOWN
    return Exit.USAGE


def _failed(error: HikaeError, as_json: bool) -> int:
    # Mistakes in a configuration are a list, one a line; everything else is one line.
    words = shown_lines(str(error)) if isinstance(error, ConfigError) else shown(str(error))
    click.echo(f"hikae: {words}", err=True)
    for line in refusal_lines(error):
        click.echo(f"  {line}", err=True)
    if isinstance(error, Refused) and as_json:
        click.echo(json.dumps({"refused": True, "gates": list(error.gates)}))
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
