"""A dataset on its primary: watcher → pump → catalog, and a link to every standby."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import structlog

from agent.capture.pump import Pump, PumpFacts
from agent.capture.source import TreeSource
from agent.config.values import Dataset
from agent.core.commit import Position
from agent.core.errors import HikaeError, TryAgain
from agent.core.ids import CommitNumber, Epoch, ObjectId
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.node import epochs
from agent.node.pauses import SEND, Pauses
from agent.node.surroundings import Surroundings
from agent.store.catalog import Catalog, CatalogReader
from agent.store.local import Local
from agent.stream import messages
from agent.stream.board import PositionBoard
from agent.stream.conversation import RefusedByPeer
from agent.stream.feed import Feed
from agent.stream.link import Link, LinkState
from agent.stream.messages import Hello
from agent.stream.sender import Sender
from agent.stream.source import LineageBroken, Waiting
from agent.watch.choose import choose
from agent.watch.hint import Watcher
