"""The shape of what is published."""

from __future__ import annotations

from typing import Any, TypeAlias

#: A JSON object: what `json.loads` gives for one.
Json: TypeAlias = dict[str, Any]  # Any: JSON is a foreign edge; the shape is what ``published`` makes
