"""Files that people send with a form: put on disk whole, one folder each, until an import is done with them.

A folder belongs to whoever knows its name; sweep() takes away those that a process left behind when it died.
"""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Collection
from pathlib import Path

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile

from dashboard.errors import NotFound

#: A folder that nobody owns may still be being filled for so long.
FILLED_WITHIN_S = 3_600.0
#: What waits for somebody to try again is kept for so long.
KEPT_S = 86_400.0


def place() -> Path:
    """Where uploads are; also where Django puts them while they come in."""
    found = settings.DATA_DIR / "uploads"
    found.mkdir(parents=True, exist_ok=True)
    return found


def keep(upload: UploadedFile, name: str) -> str:
    """Put an upload on disk under its name; returns its folder."""
    folder = place() / uuid.uuid4().hex
    folder.mkdir()
    target = folder / name
    try:
        if isinstance(upload, TemporaryUploadedFile):  # on this disk already: gigabytes are not copied
            shutil.move(upload.temporary_file_path(), target)
        else:
            with target.open("wb") as stream:
                for chunk in upload.chunks():
                    stream.write(chunk)
    except BaseException:
        forget(folder.name)
        raise
    return folder.name


def find(folder: str, name: str) -> Path:
    """Where a kept upload is.

    Raises:
        NotFound: it was swept away.
    """
    path = place() / folder / name
    if not path.exists():
        raise NotFound(f"The file {name} is no longer here: send it again")
    return path


def forget(folder: str) -> None:
    """Delete an upload."""
    shutil.rmtree(place() / folder, ignore_errors=True)


def sweep(live: Collection[str], ended: Collection[str]) -> int:
    """Delete what nobody needs any more; how many uploads that were.

    Args:
        live: folders of imports that wait, rest or run: they stay.
        ended: folders of imports that may be tried again: they stay for a day.
    """
    now, gone = time.time(), 0
    for entry in place().iterdir():
        age_s = now - entry.stat().st_mtime
        if entry.name in live or age_s < (KEPT_S if entry.name in ended else FILLED_WITHIN_S):
            continue
        if entry.is_dir():
            forget(entry.name)
        else:  # a file that was coming in when the server died
            entry.unlink(missing_ok=True)
        gone += 1
    return gone
