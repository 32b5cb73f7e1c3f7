"""Settings of a training that mean the same at every node which has one, and the parameters they stand for.

Not a node type; shared by the nodes whose models are fitted.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Annotated, TypeVar

from pydantic import Field

from recflow.engine.settings import Duration, NodeSettings, ui

Params = TypeVar("Params")

FitPeriod = Annotated[
    Duration,
    Field(title="Train every", description="Time between trainings.", json_schema_extra=ui("duration")),
]
#: Of the vectors of a matrix factorization.
Regularization = Annotated[
    float,
    Field(
        ge=0,
        title="Regularization",
        description="Pulls vectors towards zero: higher suits little data.",
        json_schema_extra=ui(group="Advanced"),
    ),
]


def chosen_over(defaults: Params, settings: NodeSettings) -> Params:
    """The parameters of a fit: settings that bear the name of one, and the defaults of all others."""
    return replace(defaults, **settings.model_dump(include={field.name for field in fields(defaults)}))
