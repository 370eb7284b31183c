from __future__ import annotations

from pathlib import Path

import pytest

from bellbuoy.local.embedded import EmbeddedError
from bellbuoy.local.embedded.disk import require_space, writable


def test_a_disk_with_too_little_space_is_named_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match=rf"disk of {tmp_path} is full or nearly so .*BELLBUOY_DATA"):
        require_space(tmp_path, 10**18)


def test_a_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    writable(tmp_path / "a" / "b")

    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(EmbeddedError, match=f"{tmp_path}/file can't be used for data"):
        writable(tmp_path / "file")
