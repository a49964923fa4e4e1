"""The files that people write -> domain values: the only reader of YAML.

A file is read to its end and every problem is reported at once, with line, column, caret and a hint. Imports `domain`
and PyYAML (when the first file is read) only; `service`, `cli` and `bootstrap` import this package.
"""

from signoff.spec.environments import read_environments
from signoff.spec.environments_file import write_environments
from signoff.spec.known import Known
from signoff.spec.model_card import read_model_card
from signoff.spec.people import read_people
from signoff.spec.pipeline import Reading, load_pipeline, read_pipeline
from signoff.spec.problem import Problem

__all__ = [
    "Known",
    "Problem",
    "Reading",
    "load_pipeline",
    "read_environments",
    "read_model_card",
    "read_people",
    "read_pipeline",
    "write_environments",
]
