"""A model card: what its authors say a model is, is for and cannot do; and what they leave unsaid.

The topics are those of Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019), section 4, found under the
headings of Hugging Face's template (huggingface_hub, `modelcard_template.md`) as well as the paper's own. A topic
counts as answered when a heading names it and something is written below that the template did not put there, or when
the front matter answers it.

Everybody may import this file; `spec.model_card` reads one. The text is somebody else's Markdown: whoever shows it
sanitises it first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Topic(StrEnum):
    """What a reader of a model card should find in it. The value is how a sentence names it."""

    DETAILS = "model details"
    INTENDED_USE = "intended use"
    OUT_OF_SCOPE = "out-of-scope use"
    TRAINING_DATA = "training data"
    EVALUATION = "evaluation"
    LIMITATIONS = "limitations"
    ETHICS = "ethical considerations"
    CONTACT = "contact"

    @property
    def question(self) -> str:
        """What to write there."""
        return _QUESTIONS[self]


_QUESTIONS = {
    Topic.DETAILS: "What kind of model is it, who made it, and when?",
    Topic.INTENDED_USE: "What is it for, and who should use it?",
    Topic.OUT_OF_SCOPE: "What should it not be used for?",
    Topic.TRAINING_DATA: "What was it trained on, from where and when?",
    Topic.EVALUATION: "On what data was it tested, by which metrics, and what came out, also for groups?",
    Topic.LIMITATIONS: "When does it fail, and what is not known about it?",
    Topic.ETHICS: "Whom could it harm or treat unfairly, and what was done about that?",
    Topic.CONTACT: "Who answers questions about it?",
}

_HEADINGS: Mapping[Topic, tuple[str, ...]] = {
    Topic.DETAILS: (
        "model details", "model description", "model summary", "model overview", "overview", "description", "about",
    ),
    Topic.INTENDED_USE: ("intended use", "intended uses", "uses", "use cases", "direct use", "primary use"),
    Topic.OUT_OF_SCOPE: ("out of scope", "misuse", "not intended", "prohibited", "restrictions"),
    Topic.TRAINING_DATA: ("training data", "training dataset", "training datasets", "training set", "train data"),
    Topic.EVALUATION: (
        "evaluation", "evaluations", "results", "performance", "metrics", "quantitative analyses", "benchmarks",
    ),
    Topic.LIMITATIONS: ("limitation", "limitations", "caveats", "known issues", "risks"),
    Topic.ETHICS: (
        "ethical considerations", "ethics", "bias", "biases", "fairness", "risks", "societal impact", "social impact",
    ),
    Topic.CONTACT: ("contact", "contacts", "card authors", "authors", "maintainers", "owners"),
}  # fmt: skip

_BY_FACT = {Topic.TRAINING_DATA: "datasets"}
"""Topics that the front matter answers, with its key."""

_PLACEHOLDERS = re.compile(
    r"\[(?:more information needed|optional|todo|tbd|needs more information)\]|\{\{[^{}]{0,500}\}\}"
    r"|\bmore information needed\b|\b(?:todo|tbd|tba|lorem ipsum)\b"
    r"|users \(both direct and downstream\) should be made aware of the risks, biases and limitations of the model\."
    r"(?: more information needed for further recommendations\.)?",
    re.IGNORECASE,
)
_EMPTY_LABEL = re.compile(r"[-*+][ \t]+(?:\*\*[^*]{0,100}\*\*|[^:]{0,100}:)")
_TAG = re.compile(r"<[^<>]{0,500}>")
_WORD = re.compile(r"[^\W_]+")
_LEAST_LETTERS = 3
_LONGEST_LINE = 500


@dataclass(frozen=True, slots=True)
class Section:
    """A heading; `line` counts from 1 in the file.

    `is_filled`: whether something of substance stands between it and the next heading of any level.
    """

    heading: str
    level: int
    line: int
    is_filled: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """A result that the card's front matter claims (`model-index`): nobody here measured it."""

    metric: str
    value: float
    task: str = ""
    dataset: str = ""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A card as far as it could be read. `facts`: the front matter's lists and words, each as a tuple of texts.

    `text` is the Markdown below the front matter. `notes` say what could not be read, or not as it was written.
    """

    file: str
    title: str = ""
    facts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    sections: tuple[Section, ...] = ()
    text: str = ""
    notes: tuple[str, ...] = ()

    @property
    def answered(self) -> tuple[Topic, ...]:
        """The topics that it says something about."""
        return tuple(topic for topic in Topic if self._answers(topic))

    @property
    def missing(self) -> tuple[Topic, ...]:
        """The topics that it says nothing about."""
        return tuple(topic for topic in Topic if not self._answers(topic))

    def where(self, topic: Topic) -> Section | None:
        """The first section about `topic` with something in it or in a section inside it."""
        title = next((section for section in self.sections if section.level == 1), None)
        for place, section in enumerate(self.sections):
            is_title = section is title and _words(section.heading) not in _HEADINGS[topic]
            if not is_title and _is_about(section.heading, topic) and self._is_filled(place):
                return section
        return None

    def _answers(self, topic: Topic) -> bool:
        is_said_as_fact = bool(self.facts.get(_BY_FACT.get(topic, "")))
        return is_said_as_fact or (topic is Topic.EVALUATION and bool(self.claims)) or self.where(topic) is not None

    def _is_filled(self, place: int) -> bool:
        """Whether a section holds something, those inside it included."""
        level = self.sections[place].level
        for number, section in enumerate(self.sections[place:]):
            if number and section.level <= level:
                return False
            if section.is_filled:
                return True
        return False


def explain_missing(card: ModelCard | None) -> str:
    """One sentence about what is missing; empty where nothing is."""
    if card is None:
        return "There is no model card: add MODEL_CARD.md to the model's folder."
    missing = [str(topic) for topic in card.missing]
    if not missing:
        return ""
    if len(missing) == len(Topic):
        return f"{card.file} says nothing of what a model card should."
    listed = missing[0] if len(missing) == 1 else f"{', '.join(missing[:-1])} and {missing[-1]}"
    return f"{card.file} says nothing about {listed}."


def has_substance(text: str) -> bool:
    """Whether somebody wrote something: placeholders, empty labels, tags and rules are nothing."""
    return any(_is_said(line.strip()[:_LONGEST_LINE]) for line in text.split("\n"))


def _is_said(line: str) -> bool:
    left = _PLACEHOLDERS.sub("", line).strip()
    if _EMPTY_LABEL.fullmatch(left):
        return False
    return sum(len(word) for word in _WORD.findall(_TAG.sub(" ", left))) >= _LEAST_LETTERS


def _is_about(heading: str, topic: Topic) -> bool:
    words = f" {_words(heading)} "
    return any(f" {phrase} " in words for phrase in _HEADINGS[topic])


def _words(heading: str) -> str:
    return " ".join(_WORD.findall(heading.lower()))
