"""The words of pages: commands in hints as code, and nothing of what anybody wrote as markup."""

from __future__ import annotations

import pytest

from signoff.web.words import ticks


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("`signoff list` shows the runs.", "<code>signoff list</code> shows the runs."),
        ("`a` or `b <c>`", "<code>a</code> or <code>b &lt;c&gt;</code>"),
        ("half a ` tick <b>", "half a ` tick &lt;b&gt;"),
        ("`<script>`alert(1)`</script>`", "<code>&lt;script&gt;</code>alert(1)<code>&lt;/script&gt;</code>"),
    ],
)
def test_commands_are_code_and_everything_is_escaped(words: str, shown: str) -> None:
    assert ticks(words) == shown
