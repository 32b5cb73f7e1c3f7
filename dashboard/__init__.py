"""The web: pages, REST, WebSocket, jobs and the rows behind them.

No arithmetic on arrays in a view: ask recflow.
"""

#: As pyproject.toml has it.
VERSION = "0.1.0"
