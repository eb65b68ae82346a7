"""The process: signals, the service manager, and the loop that the watchdog watches."""

from __future__ import annotations

import signal
import threading
from functools import partial
from types import FrameType

import structlog

from agent.config.values import Settings
from agent.core.clock import Clock, SystemClock
from agent.core.errors import Exit
from agent.node.assembly import Node
from agent.pki import startable
from agent.process.door import AdminDoor
from agent.process.ending import LastResort
from agent.process.memory import collect_young, settle_in
from agent.process.systemd import Notifier
from agent.process.web_process import WebProcess

TICK = 1.0
_log = structlog.get_logger("node")


def run(settings: Settings, clock: Clock | None = None, *, web: bool = True) -> int:
    """Run the agent until SIGTERM or SIGINT; everything is durable when it returns. Raises ``HikaeError`` when it cannot start.

    SIGHUP reads the configuration again, within a second. ``clock``: another than the machine's own. ``web``: whether the
    second process is started too, where the configuration asks for one.

    The watchdog is fed by the loop that tends the datasets, so an agent whose loop is stuck is restarted."""
    stopping, dead = threading.Event(), threading.Event()
    hung_up = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    def hang_up(_number: int, _frame: FrameType | None) -> None:
        nonlocal hung_up
        hung_up = True

    def died(args: threading.ExceptHookArgs) -> None:
        """A thread that is gone must not be missed in silence: the agent ends, and the service manager starts it again."""
        name = args.thread.name if args.thread is not None else "?"
        _log.error("a thread met a bug; the agent ends", thread=name, exc_info=args.exc_value)
        dead.set()
        stopping.set()

    last_resort = LastResort()
    last_resort.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    signal.signal(signal.SIGHUP, hang_up)
    threading.excepthook = died
    clock = clock or SystemClock()
    warnings, errors = startable.starting(settings, clock.now_ns())
    for warning in (*settings.warnings, *warnings):
        _log.warning("configuration", warning=warning)
    for error in errors:
        _log.error("no peer is served until this is mended", error=error)
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
        while not stopping.wait(TICK):
            if hung_up:
                hung_up = False
                node.reload()
            node.tick()
            if beside is not None:
                beside.tick()
            collect_young()
            notifier.alive(node.line())
        _log.info("the agent stops")
    finally:
        notifier.stopping()
        node.stop()
        last_resort.close()
    return Exit.FAILED if dead.is_set() else Exit.DONE
