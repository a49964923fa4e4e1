"""A model card is read as far as it can be: facts, claims, and which topics nobody wrote about."""

from __future__ import annotations

from time import process_time

import pytest

from signoff.domain.model_card import Claim, Topic, explain_missing, has_substance
from signoff.spec.model_card import LARGEST_BYTES, read_model_card

CARD = """\
---
license: apache-2.0
language:
  - en
  - no
datasets: [phishing-2026]
tags: [security]
model-index:
  - name: phishing-detector
    results:
      - task: {type: classification, name: Phishing}
        dataset: {name: held-out pages, type: csv}
        metrics:
          - {type: accuracy, value: 0.91}
          - {type: auc, value: high}
---

# Phishing detector

A small model.

## Model details
Trees, by Alice, 2026.

## Uses
### Direct use
Warn people of pages.
### Out-of-scope use
Never block by it alone.

## Bias, Risks, and Limitations
It was never shown a page in Norwegian.

## Evaluation
See the evidence.

## Contact
alice@example.org
"""

TEMPLATE = """\
---
{}
---
# Model Card for Model ID

<!-- Provide a quick summary of what the model is/does. -->

## Model Details

<!--
# Uses
This is in a comment.
-->
- **Developed by:** [More Information Needed]
- **Model type:** {{ model_type | default("[More Information Needed]", true)}}
- License:

## Uses

### Direct Use
[More Information Needed]

## Bias, Risks, and Limitations

[More Information Needed]

### Recommendations
Users (both direct and downstream) should be made aware of the risks, biases and limitations of the model. \
More information needed for further recommendations.

## Training Data
TODO

## Evaluation

<details>
<summary></summary>
</details>

---

## Model Card Contact

[More Information Needed]
"""


def test_a_card_that_answers_everything_misses_nothing() -> None:
    card = read_model_card(CARD)
    assert card.missing == ()
    assert card.notes == ()
    assert card.title == "Phishing detector"
    assert explain_missing(card) == ""


def test_the_front_matter_is_read_by_yaml_1_2_so_norwegian_is_a_language() -> None:
    facts = read_model_card(CARD).facts
    assert facts["language"] == ("en", "no")
    assert facts["license"] == ("apache-2.0",)
    assert facts["datasets"] == ("phishing-2026",)


def test_results_of_the_model_index_are_claims_and_what_is_no_number_is_none() -> None:
    assert read_model_card(CARD).claims == (Claim("accuracy", 0.91, "Phishing", "held-out pages"),)


def test_the_template_as_it_comes_answers_nothing() -> None:
    card = read_model_card(TEMPLATE)
    assert card.missing == tuple(Topic)
    assert explain_missing(card) == "MODEL_CARD.md says nothing of what a model card should."


@pytest.mark.parametrize("topic", list(Topic))
def test_each_topic_that_nobody_wrote_about_is_named(topic: Topic) -> None:
    about = {
        Topic.DETAILS: ("Trees, by Alice, 2026.",),
        Topic.INTENDED_USE: ("Warn people of pages.", "Never block by it alone."),
        Topic.OUT_OF_SCOPE: ("Never block by it alone.",),
        Topic.TRAINING_DATA: ("datasets: [phishing-2026]",),
        Topic.EVALUATION: ("See the evidence.", "value: 0.91", "value: high"),
        Topic.LIMITATIONS: ("It was never shown a page in Norwegian.",),
        Topic.ETHICS: ("It was never shown a page in Norwegian.",),
        Topic.CONTACT: ("alice@example.org",),
    }
    text = CARD
    for words in about[topic]:
        assert words in text
        text = text.replace(words, "" if ":" not in words else words.partition(":")[0] + ":")
    card = read_model_card(text, "README.md")
    assert topic in card.missing
    assert f"{topic}" in explain_missing(card)
    assert topic.question.endswith("?")


def test_one_missing_topic_makes_a_sentence() -> None:
    card = read_model_card(CARD.replace("alice@example.org", ""))
    assert explain_missing(card) == "MODEL_CARD.md says nothing about contact."
    assert explain_missing(None).startswith("There is no model card: add MODEL_CARD.md")


def test_headings_of_the_paper_and_underlined_ones_count() -> None:
    text = "Intended Use\n============\nWarn people.\n\nEthical considerations\n---\nNone were found.\n"
    card = read_model_card(text)
    assert card.answered == (Topic.INTENDED_USE, Topic.ETHICS)
    assert [(s.heading, s.level, s.line) for s in card.sections] == [
        ("Intended Use", 1, 1),
        ("Ethical considerations", 2, 5),
    ]


def test_the_title_is_no_section_about_what_it_names() -> None:
    assert Topic.ETHICS in read_model_card("# Bias detector\n\nFinds bias.\n\n## Uses\nFor all.\n").missing
    assert Topic.ETHICS in read_model_card("# Bias\n\nFinds bias.\n").answered


def test_a_heading_in_code_or_in_a_comment_is_none() -> None:
    text = "```sh\n# Uses\necho hello\n```\n<!-- a\n# Limitations\nnone -->\n~~~\n## Contact\n```\nme\n~~~\n"
    assert read_model_card(text).answered == ()


def test_a_section_knows_its_line_below_front_matter() -> None:
    sections = read_model_card(CARD).sections
    lines = CARD.splitlines()
    assert all(lines[section.line - 1].lstrip("# ") == section.heading for section in sections)
    assert len(sections) == 8


@pytest.mark.parametrize(
    ("front", "words"),
    [
        ("license: &a mit\nother: *a", "line 2, anchors (&a) are not taken"),
        ("license: mit\nlicense: mit", "line 3, the key 'license' comes twice"),
        ("license: !!python/object:os.system x", "line 2, tags"),
        ("license: [mit", "line 2, a list that starts with [ is not closed"),
        ("- a\n- b", "must be a mapping of keys to values, not a list"),
        ("a: " + "[" * 40 + "]" * 40, "nested more than 32 levels deep"),
        ("a: " + "x" * 300_000, "at most 256 KiB"),
    ],
)
def test_front_matter_that_is_wrong_is_left_out_and_said_and_the_card_is_read(front: str, words: str) -> None:
    card = read_model_card(f"---\n{front}\n---\n## Uses\nWarn people.\n")
    assert words in " ".join(card.notes)
    assert card.facts == {}
    assert card.answered == (Topic.INTENDED_USE,)


def test_front_matter_that_does_not_end_is_text() -> None:
    card = read_model_card("---\nlicense: mit\n\n## Uses\nWarn people.\n")
    assert card.notes == ("The front matter that starts on line 1 does not end: close it with ---.",)
    assert card.answered == (Topic.INTENDED_USE,)


def test_line_ends_of_other_systems_are_read() -> None:
    card = read_model_card(CARD.replace("\n", "\r\n").encode())
    assert card.missing == ()
    assert card.facts["license"] == ("apache-2.0",)


def test_a_card_over_the_cap_is_cut_within_no_character_and_says_so() -> None:
    card = read_model_card("## Uses\nWarn people.\n" + "ø" * LARGEST_BYTES)
    assert card.notes == ("The card has 2,049 KiB; the first 1,024 are read.",)
    assert card.text.endswith("ø")


def test_what_is_not_utf_8_or_cannot_be_seen_is_said() -> None:
    card = read_model_card(b"## Uses\nWarn \xff people \xe2\x80\xae.\n")
    assert len(card.notes) == 2
    assert "\u202e" not in card.text
    assert card.answered == (Topic.INTENDED_USE,)


@pytest.mark.parametrize("content", [b"", b"---", b"---\n---", b"\n\n", b"#", b"---\n---\n---\n---", b"\xef\xbb\xbf"])
def test_nothing_much_is_a_card_that_says_nothing(content: bytes) -> None:
    assert read_model_card(content).missing == tuple(Topic)


@pytest.mark.parametrize(
    "content",
    [
        "<" * 500_000,
        "# " + " " * 900_000 + "#",
        "- " + " " * 900_000 + "x",
        "- **" * 200_000,
        "{{" * 400_000,
        "<!--" * 200_000,
        "# Uses\n" * 100_000,
        "a\n-\n" * 200_000,
        "[todo" * 180_000,
        "`" * 900_000,
    ],
)
def test_a_hostile_card_takes_no_longer_than_its_size(content: str) -> None:
    start = process_time()
    card = read_model_card(content)
    assert isinstance(card.missing, tuple)
    assert process_time() - start < 5


@pytest.mark.parametrize(
    ("text", "is_something"),
    [
        ("None known.", True),
        ("[More Information Needed]", False),
        ("- **Developed by:** Alice", True),
        ("- **Developed by:** [More Information Needed]", False),
        ("- **Developed by:**", False),
        ("TBD", False),
        ("***\n\n<br>", False),
        ("ingen kjente begrensninger", True),
        ("無し。特になし", True),
    ],
)
def test_placeholders_are_nothing(text: str, is_something: bool) -> None:
    assert has_substance(text) is is_something
