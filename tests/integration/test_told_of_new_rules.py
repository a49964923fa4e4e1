"""Whom an environment's new rules ask hears of the gates that wait for them, and who was asked already does not."""

from __future__ import annotations

from dataclasses import replace

from factories import MODEL
from house import APPROVE_AND_DEPLOY, PRODUCTION, House
from signoff.domain.pipeline import RuleSpec
from told_scene import add_target, sent, to, with_mail


def test_new_rules_of_an_environment_tell_those_whom_they_ask_and_nobody_twice(house: House) -> None:
    told = with_mail(house)
    add_target(told, models=["*"])
    told.submit(APPROVE_AND_DEPLOY)
    told.notifier.sent.clear()
    also = RuleSpec("risk", ("group:risk",), 2)
    told.environments(replace(PRODUCTION, rules=(also,)))
    told.work()
    assert sent(told) == [("carol", "gate.rules_changed"), ("team", "gate.rules_changed")]
    (notice,) = to(told, "carol", "gate.rules_changed").notices
    assert notice.title == f"{MODEL} v1 needs your approval, too"
    assert notice.what.endswith("The rules of production changed.")
    assert notice.why == "Your approval counts for risk."
    told.notifier.sent.clear()
    told.environments(replace(PRODUCTION, rules=(replace(also, required_approvals=1),)))
    told.work()
    assert sent(told) == []
