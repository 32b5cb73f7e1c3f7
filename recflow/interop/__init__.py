"""Other people's files: Gorse configuration, JSONL, CSV, MovieLens.

No Django may come in: readers yield records, writers take records.
"""
