"""Failover on real hosts: the primary's power is cut, and the README's blocks of that section bring the service over and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hosts.blocks import Substitution
from hosts.host import Host, HostError
from hosts.rehearsing import rehearses_a_unit

DATASET = "web"
Step = Callable[[str, tuple[Substitution, ...]], str]
_UNTIL = 120
#: A bare Debian has neither curl nor wget.
_HEALTH = """for i in $(seq 20); do
  question='HEAD /datasets/web/primary HTTP/1.0\\r\\n\\r\\n'
  answer=$(exec 3<>/dev/tcp/127.0.0.1/7441 && printf "$question" >&3 && head -n 1 <&3 || true)
  case "$answer" in *" {code} "*) break ;; esac
  sleep 0.5
done
echo "health: $answer"; case "$answer" in *" {code} "*) true ;; *) systemctl status hikae-web; false ;; esac
"""


class FailingOver:
    """alpha is the primary and loses its power; beta is promoted; alpha returns, rejoins, and is the primary again at the end.
    ``step`` types the README's blocks of a step and answers with what they said; ``same`` compares the two trees."""

    def __init__(self, alpha: Host, beta: Host, step: Step, same: Callable[[str], None]) -> None:
        self._alpha = alpha
        self._beta = beta
        self._step = step
        self._same = same

    def tell(self) -> None:
        """Cut, promote, come back, rejoin, switch over; each side's word for it is looked at on the way."""
        self._alpha.type(f"echo confirmed > /srv/web/confirmed && hikae wait {DATASET} --durable --timeout 60\n")
        self._alpha.cut_power()
        print("--- alpha has lost its power while it was the primary", flush=True)
        self._step("promote", ())
        self._beta.type("cat /srv/web/confirmed; echo served > /srv/web/served-by-beta; rm /srv/web/old/3\n")
        self._is("beta", self._beta, "primary")
        self._health_is({"beta": "200"})
        self._alpha.boot()
        self._until(self._alpha, lambda one: one["state"] == "fenced", "alpha to be fenced")
        self._step("rejoin", ())
        self._is("alpha", self._alpha, "standby")
        self._settled(self._beta)
        self._same("after the rejoin")
        self._step("switchover", ())
        self._is("alpha", self._alpha, "primary")
        self._health_is({"alpha": "200", "beta": "503"})
        self._settled(self._alpha)
        self._alpha.type("test -e /srv/web/confirmed && test -e /srv/web/served-by-beta && test ! -e /srv/web/old/3\n")
        self._same("after the switchover back")
        rehearses_a_unit(self._beta)

    def _settled(self, primary: Host) -> None:
        """What was written is on the other side; a barrier says so."""
        primary.type(f"hikae wait {DATASET} --applied --timeout {_UNTIL}\n")

    def _is(self, name: str, host: Host, role: str) -> None:
        found = _look(host)
        if found["role"] != role:
            raise HostError(f"{name} is to be {role} and says {found['role']}, {found['state']}")

    def _health_is(self, wanted: dict[str, str]) -> None:
        """What a load balancer is answered on each host, by the health unit that systemd runs; within the seconds of one look."""
        for host in (self._alpha, self._beta):
            if host.name in wanted:
                host.type(_HEALTH.format(code=wanted[host.name]))

    def _until(self, host: Host, so: Callable[[Any], bool], what: str) -> None:
        for _ in range(_UNTIL):
            if so(_look(host)):
                return
            host.type("sleep 1\n", quiet=True)
        raise HostError(f"{what} was waited for in vain: {_look(host)['state']}")


def _look(host: Host) -> Any:  # Any: JSON is a foreign edge
    said = host.type(
        "for i in $(seq 60); do if hikae status --json 2>/dev/null; then break; fi; sleep 1; done\n", quiet=True
    )
    return json.loads(said)["datasets"][0]
