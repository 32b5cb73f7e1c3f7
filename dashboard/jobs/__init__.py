"""Work that takes longer than a request: fitting models, refreshing lists, importing files.

No pages and no wire formats may come in; jobs call recflow and write artifacts and rows.
"""
