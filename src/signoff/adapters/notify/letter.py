"""A message as a mail: plain text and HTML of the same words, readable on a phone, one thread for each run.

Without pictures, scripts or anything to load. Widths are never fixed, so that a narrow client has nothing to scroll.
"""

from __future__ import annotations

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default
from email.utils import format_datetime
from html import escape

from signoff.domain.notice import Message, Notice

_FRAME = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    '<meta name="color-scheme" content="light dark"><title>{title}</title></head>'
    '<body style="margin:0;padding:16px;font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere">'
    '<div style="max-width:34em;margin:0 auto">{notices}{foot}</div></body></html>'
)
_NOTICE = (
    '<h1 style="font-size:1.25em;line-height:1.3;margin:0 0 .5em">{title}</h1>{lines}'
    '<p style="margin:1em 0 1.5em"><a href="{link}" style="display:inline-block;padding:.6em 1em;border-radius:6px;'
    'background:#0b5cad;color:#ffffff;text-decoration:none">{action}</a></p>'
)
_POLICY = default.clone(max_line_length=900)
"""Headers in one line each: mail programs read List-Unsubscribe that way best. 998 is the most that a line may have."""
_LINE = '<p style="margin:0 0 .5em">{}</p>'
_FOOT = '<p style="margin:2em 0 0;font-size:.85em">{why}</p>'
_CHOOSE = "/settings/notifications"
_RULE = '<hr style="border:0;border-top:1px solid #888888;margin:1.5em 0">'


def letter(message: Message, sender: Address, domain: str) -> EmailMessage:
    """The mail. Its Message-ID is made of the message's id, and its thread of the run's: both stay the same."""
    mail = EmailMessage(_POLICY)
    mail["Subject"] = _line(message.subject)
    mail["From"] = sender
    mail["To"] = Address(addr_spec=_line(message.to or ""))
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = f"<{message.id}@{domain}>"
    if message.thread is not None:
        root = f"<run-{message.thread}@{domain}>"
        mail["In-Reply-To"] = root
        mail["References"] = root
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Signoff-Event"] = message.event
    if message.unsubscribe is not None:
        # RFC 8058: one POST to that address is enough, and only a POST does anything.
        mail["List-Unsubscribe"] = f"<{message.unsubscribe}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(text_of(message))
    mail.add_alternative(html_of(message), subtype="html")
    return mail


def text_of(message: Message) -> str:
    """The words alone."""
    parts = []
    for notice in message.notices:
        told = filter(None, [notice.what, notice.why, notice.until])
        parts.append("\n\n".join([notice.title, *told, f"{notice.action}: {message.link(notice)}"]))
    text = "\n\n--------\n\n".join(parts)
    return f"{text}\n\n-- \n{_foot(message)}\n" if message.unsubscribe else f"{text}\n"


def html_of(message: Message) -> str:
    """The same words, to be looked at."""
    notices = _RULE.join(_html(message, notice) for notice in message.notices)
    foot = ""
    if message.unsubscribe is not None:
        link = f'<a href="{escape(message.unsubscribe)}">No more mails</a>'
        choose = f'<a href="{escape(message.link_base)}{_CHOOSE}">Choose how you are told</a>'
        foot = _FOOT.format(why=f"{choose}. {link}.")
    title = escape(message.notices[0].title if len(message.notices) == 1 else message.subject)
    return _FRAME.format(title=title, notices=notices, foot=foot)


def _html(message: Message, notice: Notice) -> str:
    told = filter(None, [notice.what, notice.why, notice.until])
    return _NOTICE.format(
        title=escape(notice.title),
        lines="".join(_LINE.format(escape(line)) for line in told),
        link=escape(message.link(notice)),
        action=escape(notice.action),
    )


def _foot(message: Message) -> str:
    return f"Choose how you are told: {message.link_base}{_CHOOSE}\nNo more mails: {message.unsubscribe}"


def _line(text: str) -> str:
    """What a header may hold: one line."""
    return " ".join(text.split())
