"""Logs as HTML: colours as classes, everything else as text."""

from __future__ import annotations

from signoff.web.terminal import lines_of, plain


def test_colours_become_classes_and_go_on_in_the_next_line() -> None:
    assert lines_of(b"\x1b[1;31mbad\x1b[0m fine\n\x1b[32mgo\non\x1b[39m.\n") == [
        '<span class="t-bold t-red">bad</span> fine',
        '<span class="t-green">go</span>',
        '<span class="t-green">on</span>.',
    ]


def test_what_a_script_prints_is_text() -> None:
    assert lines_of(b"<script>alert(1)</script> & \x00\x07") == ["&lt;script&gt;alert(1)&lt;/script&gt; &amp; "]


def test_what_else_steers_a_terminal_is_left_out() -> None:
    line = b"\x1b]0;title\x07a\x1b[2Kb\x1b[10;20Hc\x1b(B\x1b[38;5;200md\x1b[38;2;1;2;3me\x1b[999mf\x1b"
    assert lines_of(line) == ["abcdef"]
    assert plain(line) == "abcdef"


def test_of_a_progress_bar_its_last_state_is_left() -> None:
    assert lines_of(b"10 %\r50 %\r100 %\nwindows\r\n") == ["100 %", "windows"]


def test_bytes_that_are_no_text_do_no_harm() -> None:
    assert lines_of(b"\xff\xfe") == ["\ufffd\ufffd"]
    assert lines_of(b"") == []
