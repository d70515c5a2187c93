"""C9, C13: files appear complete under their name, or not at all."""

import pytest

from nbforecast.atomic_write import atomic_write, atomic_write_text


def test_C9_a_file_appears_whole_and_replaces_the_one_before(tmp_path):
    target = tmp_path / "result.json"
    target.write_text("old")
    with atomic_write(target, 0o600) as file:
        file.write(b"new")
        assert target.read_text() == "old"
        assert len(list(tmp_path.glob(".result.*.part"))) == 1
    assert target.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]
    assert target.stat().st_mode & 0o777 == 0o600


def test_C13_an_interrupted_write_leaves_the_file_before(tmp_path):
    target = tmp_path / "result.json"
    target.write_text("old")

    def interrupted() -> None:
        with atomic_write(target) as file:
            file.write(b"ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


def test_text_is_written_through_a_link(tmp_path):
    (tmp_path / "page.html").symlink_to(tmp_path / "there.html")
    atomic_write_text(tmp_path / "page.html", "ä")
    assert (tmp_path / "there.html").read_text(encoding="utf-8") == "ä"
    assert (tmp_path / "page.html").is_symlink()
