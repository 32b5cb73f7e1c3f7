"""The flow: what a graph is, how it is checked and how it runs.

No Django, httpx, algorithms or node types may come in: the engine knows none of its nodes.
"""
