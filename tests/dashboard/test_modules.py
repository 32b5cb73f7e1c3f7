"""Which files a page needs: the tree of imports, read off the files."""

import pytest

from dashboard.views.modules import imported_by


@pytest.fixture
def files(settings, tmp_path):
    settings.STATIC_DIR = tmp_path
    (tmp_path / "js" / "lib").mkdir(parents=True)
    (tmp_path / "js" / "main.js").write_text(
        'import { a } from "./a.js";\nimport {\n  b,\n} from "./lib/b.js";\nimport React from "react";\n'
        'const later = () => import("./later.js");\n'
    )
    (tmp_path / "js" / "a.js").write_text('export { b } from "./lib/b.js";\nimport "./main.js";\n')
    (tmp_path / "js" / "lib" / "b.js").write_text('export const b = "./no.js";\n')
    imported_by.cache_clear()
    yield
    imported_by.cache_clear()


def test_each_file_is_named_once_and_what_is_loaded_later_is_not(files):
    assert imported_by("js/main.js") == ("js/main.js", "js/a.js", "js/lib/b.js")


def test_the_editor_names_the_files_it_begins_with():
    modules = imported_by("js/editor/main.js")
    assert {"js/editor/main.js", "js/editor/canvas.js", "js/lib/html.js"} <= set(modules)
    assert len(set(modules)) == len(modules) > 50
