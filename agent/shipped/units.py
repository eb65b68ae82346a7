"""Units of the service manager, begun and ended with the role."""

from __future__ import annotations

from agent.core.errors import HikaeError
from agent.shipped.running import output_of


def start_units(units: tuple[str, ...]) -> str:
    """All of them run, in the order given; what was done. Raises ``HikaeError`` for the first that does not."""
    for unit in units:
        remedy = f"systemctl status {unit}; journalctl -u {unit}"
        output_of(("systemctl", "start", "--", unit), "start the unit", unit, remedy)
    return f"{', '.join(units)} {'runs' if len(units) == 1 else 'run'}"


def stop_units(units: tuple[str, ...]) -> str:
    """None of them runs, the last is ended first; what was done. All are tried. Raises the first ``HikaeError``."""
    first: HikaeError | None = None
    for unit in reversed(units):
        try:
            output_of(("systemctl", "stop", "--", unit), "stop the unit", unit, f"systemctl status {unit}")
        except HikaeError as error:
            first = first or error
    if first is not None:
        raise first
    return f"{', '.join(units)} {'is' if len(units) == 1 else 'are'} stopped"
