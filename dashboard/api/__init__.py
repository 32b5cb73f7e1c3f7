"""HTTP in, HTTP out: Gorse's endpoints for data, the editor's endpoints, and the raw hot route.

Parse, call, answer. What happens is decided in drafts.py, activation.py, catalogue/ and runs.py.
"""
