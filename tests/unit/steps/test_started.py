"""Which units a hook starts, and whether its words tell all that it starts."""

from __future__ import annotations

import pytest

from agent.config.values import Hook
from agent.steps.started import started_units, unseen_program


@pytest.mark.parametrize(
    ("words", "units", "unseen"),
    [
        (("systemctl", "start", "shop"), ("shop",), ""),
        (("/usr/bin/systemctl", "--no-block", "start", "shop", "queue.service"), ("shop", "queue.service"), ""),
        (("systemctl", "restart", "shop"), ("shop",), ""),
        (("sudo", "-n", "systemctl", "start", "shop"), ("shop",), ""),
        (("systemctl", "stop", "shop"), (), "systemctl"),
        (("systemctl",), (), "systemctl"),
        (("hikae", "hook", "units-start", "shop.service", "queue"), ("shop.service", "queue"), ""),
        (("/usr/bin/hikae", "hook", "address-up", "eth0", "192.0.2.10/24"), (), ""),
        (("sh", "-c", "systemctl start shop"), ("shop",), ""),
        (("/bin/bash", "-ec", "exec systemctl --quiet start shop.service"), ("shop.service",), ""),
        (("sh", "-c", "mount /srv && systemctl start shop; systemctl restart q || exit 3"), ("shop", "q"), "sh"),
        (("sh", "-c", "hikae hook units-start shop\nhikae hook address-up eth0 192.0.2.1/24"), ("shop",), ""),
        (("sh", "-c", 'systemctl start "shop@1.service" >/dev/null 2>&1'), ("shop@1.service",), ""),
        (("sh", "-c", 'systemctl start "$APP" shop'), ("shop",), "sh"),
        (("sh", "-c", "echo 'begun\nsystemctl start shop"), ("shop",), "sh"),
        (("env", "A=1", "sh", "-c", "systemctl start shop"), ("shop",), ""),
        (("shop-start", "start", "shop"), (), "shop-start"),
        (("/srv/bin/start", "-c", "systemctl start shop"), (), "start"),
        ((), (), ""),
    ],
)
def test_the_units_that_a_hook_starts(words: tuple[str, ...], units: tuple[str, ...], unseen: str) -> None:
    """As far as its words say so; what they do not say is a program into which nobody sees."""
    assert (units, unseen) == (started_units(Hook(words)), unseen_program(Hook(words)))


def test_no_hook_starts_nothing() -> None:
    """Nor is there anything to see."""
    assert ((), "") == (started_units(None), unseen_program(None))
