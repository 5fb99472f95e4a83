from pathlib import Path

from nl_tasks.gallery import gallery

PAGE = Path(__file__).parents[2] / "GALLERY.md"


def test_the_gallery_is_what_the_generators_make_now(monkeypatch):
    monkeypatch.chdir(PAGE.parent)
    assert PAGE.read_text() == gallery(), "run `make gallery` and commit GALLERY.md"
