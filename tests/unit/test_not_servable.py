"""A model that the model server could not load is refused when it is submitted, not when it is deployed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from signoff.domain.environment import LOCAL
from signoff.domain.errors import NotServableError
from signoff.domain.pipeline import DeploymentStep, Pipeline
from signoff.domain.version import ModelVersion
from signoff.service.submission import _check_servable
from signoff.spec import Known

PICKLE = ModelVersion("fraud-detector", "3", "sha256:" + "0" * 64, "models:/fraud-detector/3", is_servable=False)
DEPLOYS = Pipeline("fraud", "sha256:" + "1" * 64, (DeploymentStep("deploy", "local"),))


def test_a_pickle_for_an_environment_with_a_model_server_is_refused_with_both_ways_out() -> None:
    with pytest.raises(NotServableError) as refusal:
        _check_servable(DEPLOYS, Known(environments={"local": LOCAL}), PICKLE)
    assert refusal.value.code == "not_servable"
    assert str(refusal.value) == (
        "fraud-detector v3 is not in MLflow's model format, and local serves by the model server. "
        "Save it with mlflow (save_model or log_model), or deploy to an environment whose deployer is alias."
    )


def test_a_pickle_may_go_where_only_an_alias_moves() -> None:
    only_alias = replace(LOCAL, deployer=replace(LOCAL.deployer, type="alias"))
    _check_servable(DEPLOYS, Known(environments={"local": only_alias}), PICKLE)
    with pytest.raises(NotServableError):
        _check_servable(DEPLOYS, Known(environments={"local": LOCAL}), PICKLE)
