"""The process: signals, the service manager, and the loop that the watchdog watches."""

from __future__ import annotations

import faulthandler
from functools import partial

import structlog

from agent.config.values import Settings
from agent.core.clock import Clock, SystemClock
from agent.core.errors import Exit
from agent.node.assembly import Node
from agent.pki import startable
from agent.process.door import AdminDoor
from agent.process.ending import LastResort
from agent.process.memory import collect_young, settle_in
from agent.process.signals import AgentSignals
from agent.process.systemd import Notifier
from agent.process.web_process import WebProcess

TICK = 1.0
_log = structlog.get_logger("node")


def run(settings: Settings, clock: Clock | None = None, *, web: bool = True) -> int:
    """Run the agent until SIGTERM or SIGINT; everything is durable when it returns. Raises ``HikaeError`` when it cannot start.

    SIGHUP reads the configuration again, within a second. ``clock``: another than the machine's own. ``web``: whether the
    second process is started too, where the configuration asks for one.

    The watchdog is fed by the loop that tends the datasets, so an agent whose loop is stuck is restarted."""
    # Where a library crashes, the journal has at least what each thread was at.
    faulthandler.enable()
    last_resort = LastResort()
    last_resort.start()
    signals = AgentSignals()
    signals.listen()
    clock = clock or SystemClock()
    _tell_mistakes(settings, clock)
    settle_in()
    node = Node(settings, clock, partial(AdminDoor, settings.node.admin_socket))
    notifier = Notifier()
    node.start()
    beside = WebProcess(settings.source_files[0], node.board, clock) if web and settings.serves_web else None
    if beside is not None:
        beside.start()
    try:
        notifier.ready()
        _log.info("the agent runs", node=settings.node.name, listen=settings.node.listen)
        while not signals.stopping.wait(TICK):
            _tick(node, beside, signals)
            notifier.alive(node.line())
        _log.info("the agent stops")
    finally:
        notifier.stopping()
        node.stop()
        last_resort.close()
    return Exit.FAILED if signals.is_broken else Exit.DONE


def _tell_mistakes(settings: Settings, clock: Clock) -> None:
    """Log what is doubtful in the configuration, and what keeps peers from being served."""
    warnings, errors = startable.starting(settings, clock.now_ns())
    for warning in (*settings.warnings, *warnings):
        _log.warning("configuration", warning=warning)
    for error in errors:
        _log.error("until this is mended no peer is served, or the dataset that it names is not opened", error=error)


def _tick(node: Node, beside: WebProcess | None, signals: AgentSignals) -> None:
    if signals.take_reload():
        node.reload()
    node.tick()
    if beside is not None:
        beside.tick()
    collect_young()
