"""A rehearsal on a real host: the probe is a service unit, whose program systemd never begins."""

from __future__ import annotations

from hosts.host import Host

_PROBE = 'probe = { units = ["shop@web.service"], run = ["cat", "/run/shop/served"] }'
_REHEARSES = f"""cat > /etc/systemd/system/shop@.service <<'END'
[Unit]
Requires=no-such.service
[Service]
User=nobody
RuntimeDirectory=shop
ExecStart=/bin/sh -c 'cat /srv/%i/confirmed > /run/shop/served; id -un >> /run/shop/served; exec sleep 600'
END
mkdir -p /etc/systemd/system/shop@web.service.d
cat > /etc/systemd/system/shop@web.service.d/more.conf <<'END'
[Service]
ExecStartPre=/bin/sh -c 'echo tried > /tmp/tried; cat /srv/%i/confirmed'
END
systemctl daemon-reload
cp /etc/hikae/agent.toml /etc/hikae/agent.toml.before
sed -i '/^\\[dataset.hooks\\]/a {_PROBE}' /etc/hikae/agent.toml
hikae reload
hikae rehearse web > /tmp/rehearsed || {{ cat /tmp/rehearsed; false; }}
cat /tmp/rehearsed
grep -q confirmed /tmp/rehearsed && grep -q nobody /tmp/rehearsed
test ! -e /tmp/tried && test ! -e /run/shop
test "$(systemctl is-active shop@web.service)" = inactive
mv /etc/hikae/agent.toml.before /etc/hikae/agent.toml
rm -r /etc/systemd/system/shop@.service /etc/systemd/system/shop@web.service.d
systemctl daemon-reload
hikae reload
"""


def rehearses_a_unit(standby: Host) -> None:
    """The unit's program reads the standby, its drop-in writes into the view, and neither is seen outside."""
    standby.type(_REHEARSES)
