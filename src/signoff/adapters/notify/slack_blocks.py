"""What is sent to Slack, as Block Kit: https://docs.slack.dev/reference/block-kit.

Texts are `plain_text` and escaped: what people wrote turns into no link, no mention and no markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from signoff.domain.chat import Act, Button, Reply
from signoff.domain.notice import Message, Notice

Block = dict[str, Any]
_LONGEST_TITLE = 150
_LONGEST_TEXT = 2900
_LONGEST_LABEL = 75
_MOST_NOTICES = 15
"""A message has 50 blocks at most, and a notice takes three."""


def message_of(message: Message, *, can_answer: bool) -> Block:
    """A message: each notice with its facts, and the button that opens its page. `can_answer`: buttons come back."""
    shown = message.notices[:_MOST_NOTICES]
    blocks = [block for notice in shown for block in _notice(message, notice, can_answer=can_answer)]
    if len(shown) < len(message.notices):
        blocks.append(_section(f"And {len(message.notices) - len(shown)} more: {message.link_base}"))
    title = message.notices[0].title if len(message.notices) == 1 else message.subject
    return {"text": _cut(title, _LONGEST_TEXT), "blocks": blocks}


def reply_of(reply: Reply) -> Block:
    """What only the person who pressed sees."""
    text = "\n".join(reply.lines)
    blocks = [_section(text)]
    if reply.facts:
        blocks.append(_section("\n".join(f"{name}: {value}" for name, value in reply.facts)))
    if reply.buttons:
        blocks.append(_actions(reply.buttons))
    return {
        "response_type": "ephemeral",
        "replace_original": reply.replaces,
        "text": _cut(text, _LONGEST_TEXT),
        "blocks": blocks,
    }


def _notice(message: Message, notice: Notice, *, can_answer: bool) -> list[Block]:
    facts = "\n".join(filter(None, [notice.what, notice.why, notice.until]))
    buttons = [Button(notice.action, Act.OPEN, url=message.link(notice), is_first=True)]
    if can_answer and notice.ask:
        buttons.append(Button("Approve", Act.APPROVE, notice.ask))
    title = {"type": "header", "text": _plain(notice.title, _LONGEST_TITLE)}
    return [title, *([_section(facts)] if facts else []), _actions(buttons)]


def _section(text: str) -> Block:
    return {"type": "section", "text": _plain(text, _LONGEST_TEXT)}


def _actions(buttons: Sequence[Button]) -> Block:
    return {"type": "actions", "elements": [_button(button) for button in buttons]}


def _button(button: Button) -> Block:
    made: Block = {"type": "button", "text": _plain(button.label, _LONGEST_LABEL), "action_id": button.act.value}
    made |= {"url": button.url} if button.url else {}
    made |= {"value": button.value} if button.value else {}
    return made | ({"style": "primary"} if button.is_first else {})


def _plain(text: str, longest: int) -> Block:
    return {"type": "plain_text", "text": _cut(text, longest), "emoji": False}


def _cut(text: str, longest: int) -> str:
    """`text` escaped, of which only as much is kept as fits: one message that is too long must not hold up others."""
    whole = escaped(text)
    while len(whole) > longest:
        text = text[: len(text) - max(1, (len(whole) - longest) // 5) - 1]
        whole = f"{escaped(text)}…"
    return whole


def escaped(text: str) -> str:
    """The three characters by which Slack knows links and mentions, as what they are."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
