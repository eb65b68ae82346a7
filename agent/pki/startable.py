"""Can the agent start with this configuration? One list of checks for ``config check``, for the start, and for a reload."""

from __future__ import annotations

import os

from agent.config.load import file_mistakes
from agent.config.mistakes import ConfigMistakes, Mistake
from agent.config.places import is_of_dataset, place_mistakes
from agent.config.values import Settings
from agent.core.errors import HikaeError
from agent.pki.identity import load_identity
from agent.pki.revocation import RevocationList

#: Where the list of revoked certificates is remembered, in ``state_dir``.
KEPT = "revoked.pem"
#: Which key of the configuration a finding about certificates is about; others are the certificate's.
_KEYS = {"key-mismatch": "key", "key-open": "key", "crl-not-believed": "crl", "certificate-wrong-ca": "ca"}


def kept_list(settings: Settings) -> str:
    """The path where this node remembers whom it shut out."""
    return os.path.join(settings.node.state_dir, KEPT)


def check_startable(settings: Settings, now_ns: int) -> tuple[str, ...]:
    """What has to be said although all is as it must be. Changes nothing.

    Raises :class:`ConfigMistakes` with everything for which it does not start, or serves no peer."""
    mistakes = file_mistakes(settings)
    warnings: tuple[str, ...] = ()
    if not any(mistake.key.startswith("tls.") for mistake in mistakes):
        found, warnings = _certificates(settings, now_ns)
        mistakes += found
    if mistakes:
        raise ConfigMistakes(settings.source_files[0], mistakes)
    return warnings


def starting(settings: Settings, now_ns: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the start has to say, as ``(warnings, errors)``. What is wrong with certificates, keys, lists and clocks
    keeps no agent from running: it serves no peer, says so, and goes on once they are mended. So does a dataset that cannot stand
    where it is to: it alone is not opened, and is tried again.

    Raises :class:`ConfigMistakes` for everything else for which :func:`check_startable` does."""
    try:
        return check_startable(settings, now_ns), ()
    except ConfigMistakes as error:
        others = [one for one in error.mistakes if not one.key.startswith("tls.") and not is_of_dataset(one)]
        if others:
            raise ConfigMistakes(settings.source_files[0], others) from error
        return (), tuple(str(mistake) for mistake in error.mistakes)


def reloadable(running: Settings, read: Settings, now_ns: int) -> tuple[str, ...]:
    """What has to be said of settings that are to take the place of those that run: also what is wrong already, with files and
    places that are named as before. That is no reason to refuse what else was changed.

    Raises :class:`ConfigMistakes` as :func:`check_startable` does, for everything that is named anew."""
    try:
        return check_startable(read, now_ns)
    except ConfigMistakes as error:
        # By what is said: a dataset that is new may be what keeps one that runs from being opened again.
        before = {(one.key, one.message) for one in place_mistakes(running)}
        same_tls = running.tls == read.tls
        refused = [
            one
            for one in error.mistakes
            if not (same_tls and one.key.startswith("tls.")) and (one.key, one.message) not in before
        ]
        if refused:
            raise ConfigMistakes(read.source_files[0], refused) from error
        return tuple(str(mistake) for mistake in error.mistakes)


def _certificates(settings: Settings, now_ns: int) -> tuple[list[Mistake], tuple[str, ...]]:
    tls, main = settings.tls, settings.source_files[0]
    crl = RevocationList(tls.crl, tls.ca, kept_list(settings), keeps=False)
    try:
        load_identity(tls.cert, tls.key, tls.ca, crl, now_ns, settings.node.name)
        return [], tuple(f"{main}: tls.crl: {one}" for one in crl.findings(now_ns))
    except HikaeError as error:
        key = _KEYS.get(getattr(error, "code", ""), "cert")
        text = f"{error.subject}: {error.reason}" + (f"; {error.remedy}" if error.remedy else "")
        return [Mistake(main, f"tls.{key}", text)], ()
