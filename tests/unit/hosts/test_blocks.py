"""The README's blocks, as they are typed on hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from hosts.__main__ import NAMES, STEPS, SUBSTITUTIONS
from hosts.blocks import Block, Substitution, blocks_of, with_substitutions
from hosts.history import ANSWERS

README = (Path(__file__).resolve().parents[3] / "README.md").read_text()


def test_a_block_names_its_step_and_the_hosts_in_their_order() -> None:
    """Other blocks, also of shell, are left alone."""
    text = "words\n```sh start: beta alpha\necho one\n\necho two\n```\n```sh\nnot this\n```\n"
    assert blocks_of(text) == [Block("start", ("beta", "alpha"), "echo one\n\necho two\n", 2)]


def test_a_block_without_an_end_is_refused_with_its_line() -> None:
    """The rest of the page would be typed as root."""
    with pytest.raises(ValueError, match=r"README\.md:1: this block never ends"):
        blocks_of("```sh start: beta\nrm -r it\n")


def test_only_what_is_named_is_substituted() -> None:
    """Word for word but for that."""
    one = Substitution("https://there", "/here", "a test")
    assert with_substitutions("git clone https://there x\nls there\n", (one,)) == "git clone /here x\nls there\n"


def test_the_readme_has_every_step_for_known_hosts_only() -> None:
    """A step that is renamed on one side only would be left out."""
    found = blocks_of(README)
    assert [
        sorted({block.step for block in found}),
        {name for block in found for name in block.hosts} - set(NAMES),
    ] == [sorted(STEPS), set()]


def test_the_clone_address_stands_in_the_readme() -> None:
    """Else the run would ask the network."""
    assert SUBSTITUTIONS[0].written in README


def test_what_an_operator_would_answer_stands_in_the_readme() -> None:
    """A block that is written anew would be typed without it, and wait for an answer that never comes."""
    assert [one.written for one in ANSWERS if one.written not in README] == []
