"""The door through which parts of jobs come in, in this process or on another machine.

Nothing of Django may be imported at the top: a worker process unpickles the name of this function before
anything is set up.
"""

from __future__ import annotations

import logging
import os
from importlib import import_module
from typing import Any

from recflow.errors import RecflowError, RunCancelled

logger = logging.getLogger(__name__)


class PartFailed(RecflowError):
    """A part of a job could not be done; only its sentence travels, for not every error can be sent."""


def call(function: str, *args: Any) -> Any:
    """Call "module:name" below dashboard.jobs, with Django set up and its connections given back.

    Args:
        function: such as "fitting:fit_here".
        args: its arguments.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recflow.settings")
    import django
    from django.apps import apps

    if not apps.ready:
        django.setup()
    from django.db import connections

    module, _, name = function.partition(":")
    try:
        return getattr(import_module(f"dashboard.jobs.{module}"), name)(*args)
    except RunCancelled:
        raise
    except RecflowError as error:
        raise PartFailed(error.message) from None
    except Exception as error:
        logger.exception("%s failed", function)
        raise PartFailed(f"{type(error).__name__}: {error}") from None
    finally:
        connections.close_all()
