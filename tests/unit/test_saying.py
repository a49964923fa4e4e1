"""What a deployment writes: no secret gets through, however the output is cut; the last line is the reason."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from signoff.adapters.deploy.saying import Saying
from signoff.domain.secret import Secret

TOKEN = Secret("hunter2-hunter22")
KEY = Secret("-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----")


class Written:
    """A log that keeps what it gets."""

    def __init__(self) -> None:
        self._file = io.BytesIO()

    def write(self, data: bytes, /) -> int:
        return self._file.write(data)

    @property
    def text(self) -> str:
        return self._file.getvalue().decode()


def say(*pieces: str) -> tuple[str, Saying]:
    log = Written()
    saying = Saying(log, [TOKEN, KEY])
    for piece in pieces:
        assert saying.write(piece.encode()) == len(piece.encode())
    saying.flush()
    return log.text, saying


@given(st.lists(st.integers(0, 60), max_size=6).map(sorted))
def test_a_secret_is_hidden_however_the_output_is_cut(cuts: list[int]) -> None:
    whole = "a hunter2-hunter2-hunter22, hunter2-hunter22hunter2-hunter22 b\n"
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert say(*pieces)[0] == "a hunter2-[secret], [secret][secret] b\n"


def test_each_line_of_a_long_secret_is_hidden_alone() -> None:
    assert say("it is\nkqhkiG9w0BAQEF\nof\n", KEY.reveal())[0] == "it is\n[secret]\nof\n[secret]"


def test_what_only_begins_like_a_secret_is_said_in_the_end() -> None:
    assert say("hunter2-", "hunter")[0] == "hunter2-hunter"


def test_the_last_line_is_the_reason_without_what_only_looks_like_a_secret() -> None:
    saying = say("first\nerror: postgresql://me:topsecret@db \x1b[31mrefused\n\n   \n")[1]
    assert saying.last_line() == "error: postgresql://me:[secret]@db  [31mrefused"


def test_a_long_last_line_is_cut() -> None:
    assert say("x" * 10_000)[1].last_line() == "x" * 500 + "..."


def test_the_reason_of_one_command_is_not_that_of_the_next() -> None:
    saying = say("of the first\n")[1]
    saying.forget()
    assert saying.last_line() == ""


def test_what_signoff_says_itself_is_no_reason() -> None:
    saying = say("of the command\n")[1]
    saying.say("deploys")
    assert saying.last_line() == "of the command"
