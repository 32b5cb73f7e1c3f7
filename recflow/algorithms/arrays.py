"""Array aliases of this room: which dtype carries what.

They repeat those of ``recflow.data.types`` because arithmetic may not depend on the room that knows ids.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

IndexVector = NDArray[np.int32]
IndexMatrix = NDArray[np.int32]
ScoreVector = NDArray[np.float32]
ScoreMatrix = NDArray[np.float32]
BoolVector = NDArray[np.bool_]
TimeVector = NDArray[np.int64]  # microseconds since 1970-01-01T00:00:00Z
Factors = NDArray[np.float32]  # (n_rows, n_factors)

MICROSECONDS_PER_HOUR = 3_600_000_000
MICROSECONDS_PER_DAY = 24 * MICROSECONDS_PER_HOUR

#: Stands where a rectangular result has no item or user to name.
NO_INDEX = -1
