"""The web: pages, REST, WebSocket, jobs and the rows behind them.

No arithmetic on arrays in a view: ask recflow.
"""
