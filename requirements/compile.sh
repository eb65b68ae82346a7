#!/bin/sh
# Writes the lock files anew from pyproject.toml: exact versions with hashes, and no address of any index.
# Run by `make lock`, with Python 3.11, the oldest that is supported; markers keep the files right for the newer ones.
# Arguments are passed on to pip-compile, such as --upgrade, or --upgrade-package NAME.
set -eu
cd "$(dirname "$0")/.."

compile() {
    output=$1
    shift
    CUSTOM_COMPILE_COMMAND="make lock" .venv/bin/python -m piptools compile --quiet --allow-unsafe --generate-hashes \
        --no-annotate --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options --strip-extras \
        --output-file "$output" "$@" pyproject.toml
}

compile requirements/runtime.lock --extra build "$@"
compile requirements/dev.lock --extra build --extra dev "$@"
