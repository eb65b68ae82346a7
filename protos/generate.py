"""Generate ``agent/rpc/wire/`` from the ``.proto`` files, or say with ``--check`` whether it is up to date."""

from __future__ import annotations

import argparse
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
SOURCES = (Path("protos/hikae/v1"), Path("protos/grpc/health/v1"))
PACKAGE = Path("agent/rpc/wire")
HEADER = '"""Generated from protos by protos/generate.py: do not edit."""\n'


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 done or up to date, 1 not up to date or protoc failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when the generated code is stale")
    chosen = parser.parse_args(arguments)
    wanted = generated()
    if chosen.check:
        stale = differing(ROOT / PACKAGE, wanted)
        for name in stale:
            print(f"{PACKAGE / name} is not what protos/ generates: run `make proto`", file=sys.stderr)
        return 1 if stale else 0
    write(ROOT / PACKAGE, wanted)
    return 0


def generated() -> dict[str, bytes]:
    """What the directory must hold, by file name. Raises ``SystemExit`` when protoc fails."""
    with tempfile.TemporaryDirectory() as scratch:
        sources = sorted(path.name for folder in SOURCES for path in (ROOT / folder).glob("*.proto"))
        code = protoc.main(
            [
                "protoc",
                # The virtual path makes the generated imports say agent.rpc.wire.
                *(f"-I{PACKAGE}={ROOT / folder}" for folder in SOURCES),
                f"-I{files('grpc_tools') / '_proto'}",
                f"--plugin=protoc-gen-mypy={Path(sysconfig.get_path('scripts')) / 'protoc-gen-mypy'}",
                f"--python_out={scratch}",
                f"--mypy_out=quiet:{scratch}",
                *(str(PACKAGE / name) for name in sources),
            ]
        )
        if code:
            raise SystemExit(f"protoc failed with code {code}")
        out = Path(scratch) / PACKAGE
        made = {path.name: path.read_bytes() for path in sorted(out.iterdir())}
    return {"__init__.py": HEADER.encode(), **made}


def differing(directory: Path, wanted: dict[str, bytes]) -> list[str]:
    """Names of files that are missing, different, or should not be there."""
    present = {path.name: path.read_bytes() for path in directory.glob("*.py*")} if directory.is_dir() else {}
    return sorted(name for name in present.keys() | wanted.keys() if present.get(name) != wanted.get(name))


def write(directory: Path, wanted: dict[str, bytes]) -> None:
    """Make the directory hold exactly these files."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in differing(directory, wanted):
        if name in wanted:
            (directory / name).write_bytes(wanted[name])
        else:
            (directory / name).unlink()


if __name__ == "__main__":
    sys.exit(main())
