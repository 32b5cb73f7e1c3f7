"""The playground: a small invented library with readers, for trying everything before bringing real data.

May import numpy, `data` and `errors`; no Django, no files but its own word list, no clock: the caller says
what time it is.

THIS DATA IS MADE UP. No person, book, author or event in it exists; titles and names are put together from
the word list in words.toml, and behavior is drawn from a seeded random generator. It is meant for learning
the tool and for tests; figures measured on it say nothing about any real catalogue.

What is planted, so that there is something to find:
- 12 tastes (mystery, cooking, computing, ...) of 4 themes each. A book has one taste and theme; one in five
  crosses into a second taste. Title, description, tags, author and embedding all follow from them.
- Readers mix one to four tastes and prefer some themes within each. Six in ten drift to another mix in time.
- Popularity is Zipf-like; new books get attention for some weeks, then settle.
- About a tenth of the books came out in the last month; some readers have very few feedback, 36 none at all.

Feedback types: `read` (value: chapters read), `like`, and `star` (put on one's own shelf), both of value 1.
Everybody who likes or stars a book has read in it.
"""

from recflow.playground.library import DEFAULT_SEED, Playground, make_playground

__all__ = ["DEFAULT_SEED", "Playground", "make_playground"]
