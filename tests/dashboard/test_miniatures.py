"""Pictures of flows: what stands where."""

import pytest

from dashboard.views.miniatures import miniature
from recflow.nodes.starters import STARTERS

NODES = [
    {"id": "a", "type": "data-source", "position": {"x": 0, "y": 0}},
    {"id": "b", "type": "latest", "position": {"x": 300, "y": 100.5}},
]


def test_boxes_stand_where_nodes_do_and_lines_join_their_sides():
    picture = miniature({"nodes": NODES, "edges": [{"source": "a", "target": "b"}]})
    assert [(box["x"], box["y"], box["family"]) for box in picture.boxes] == [(0, 0, 0), (300, 100.5, 1)]
    # from the right side of the first box, 190 wide and 76 high, to the left side of the other
    assert picture.lines == ["M190 38C245 38 245 138.5 300 138.5"]
    assert picture.view_box == "-20 -20 530 216.5"  # 300 + 190 + 2 x 20 by 100.5 + 76 + 2 x 20


@pytest.mark.parametrize("starter", STARTERS.values(), ids=lambda starter: starter.id)
def test_every_starter_has_a_picture_with_all_its_nodes_and_edges(starter):
    picture = miniature(starter.document)
    assert len(picture.boxes) == len(starter.document["nodes"])
    assert len(picture.lines) == len(starter.document["edges"])
    assert len({box["family"] for box in picture.boxes}) > 1
