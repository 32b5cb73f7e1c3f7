"""Small drawings for browser tests."""


def node(node_id, node_type, x, y, name="", **settings):
    return {
        "id": node_id,
        "type": node_type,
        "name": name,
        "position": {"x": x, "y": y},
        "settings": settings,
        "disabled": False,
        "pin": None,
    }


def edges(*pairs):
    return [
        {"id": f"{a}-{b}", "source": a, "target": b, "order": sum(q == b for _, q in pairs[:i])}
        for i, (a, b) in enumerate(pairs)
    ]


def flow(nodes, *pairs, notes=()):
    return {
        "format": 1,
        "name": "Test flow",
        "nodes": list(nodes),
        "edges": edges(*pairs),
        "notes": list(notes),
    }


EMPTY = flow([])
BARE = {
    "format": 1,
    "name": "Test flow",
    "nodes": [
        node("source", "data-source", 0, 0),
        node("latest", "latest", 300, 0),
        node("recommend", "recommend", 600, 0),
    ],
    "edges": edges(("source", "latest"), ("latest", "recommend")),
    "notes": [],
}
CHAIN = {
    "format": 1,
    "name": "Test flow",
    "nodes": [
        node("source", "data-source", 0, 0),
        node("latest", "latest", 280, 0),
        node("one", "merge", 560, 0, limit=7),
        node("two", "ranker", 840, 0, kind="none"),
        node("recommend", "recommend", 1120, 0),
    ],
    "edges": edges(("source", "latest"), ("latest", "one"), ("one", "two"), ("two", "recommend")),
    "notes": [],
}
POPULAR = {
    "format": 1,
    "name": "Test flow",
    "nodes": [
        node("source", "data-source", 0, 0),
        node("popular", "non-personalized", 300, 0, score="len(feedback)"),
        node("ranker", "ranker", 600, 0, kind="none"),
        node("recommend", "recommend", 900, 0),
    ],
    "edges": edges(("source", "popular"), ("popular", "ranker"), ("ranker", "recommend")),
    "notes": [],
}
PERSONAL = flow(
    [
        node("source", "data-source", 0, 100),
        node("collaborative", "collaborative", 300, 0),
        node("popular", "non-personalized", 300, 200, score="len(feedback)"),
        node("merge", "merge", 600, 100, method="concatenate"),
        node("ranker", "ranker", 900, 100, kind="none"),
        node("recommend", "recommend", 1200, 100),
    ],
    ("source", "collaborative"),
    ("source", "popular"),
    ("collaborative", "merge"),
    ("popular", "merge"),
    ("merge", "ranker"),
    ("ranker", "recommend"),
)
