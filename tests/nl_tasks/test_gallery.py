import re
from pathlib import Path

import pytest

pytest.importorskip("torch")

import numpy as np
import torch

from nl_tasks.gallery import PICTURES, gallery
from nl_tasks.gallery_plans import STEP, draw_plans, palette, picture_names, plan_mask, shaded
from nl_tasks.kernels.plan import causal_mask
from nl_tasks.local_models import model_folder
from nl_tasks.png import png_bytes
from nl_tasks.sparse_backends import backend_types, parse_backend

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "GALLERY.md"


def test_the_gallery_is_what_the_generators_make_now(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert PAGE.read_text() == gallery(), "run `make gallery` and commit GALLERY.md"


def test_every_backend_has_a_small_picture():
    assert set(picture_names()) == {n for n, c in backend_types().items() if c.__module__.startswith("nl_tasks.")}
    shown = re.findall(r"\]\((docs/plans/.*?)\)", PAGE.read_text())
    assert shown == [f"{PICTURES}/{name}.png" for name in picture_names()]
    assert all(1000 < (ROOT / path).stat().st_size < 40_000 for path in shown)


def pixels_of(path):
    image = pytest.importorskip("PIL.Image").open(path)
    return np.asarray(image.convert("RGB")).astype(int)


@pytest.mark.model
def test_the_pictures_are_what_the_backends_compute_now(tmp_path):
    try:
        model_folder("smollm2")
    except ValueError as missing:
        pytest.skip(str(missing))
    draw_plans(tmp_path)
    for name in picture_names():
        now, kept = pixels_of(tmp_path / f"{name}.png"), pixels_of(ROOT / PICTURES / f"{name}.png")
        # Another processor rounds otherwise, which may move a pixel to the next shade.
        assert (np.abs(now - kept).max(-1) > 40).mean() < 0.01, f"{name}: run `make gallery` and commit docs/plans"


def test_a_picture_by_hand(planted_rows, tmp_path):
    weights, kept = planted_rows
    pixels = shaded(weights, kept)
    assert pixels.shape == (2, 2) and pixels[0, 1] == 0  # above the diagonal: white
    colours = [palette()[pixel] for pixel in pixels.flatten()]
    assert colours[2] == (214, 96, 20)  # the strongest of its square is left out: full orange
    assert colours[0] == colours[3] == (12, 44, 104)
    (tmp_path / "x.png").write_bytes(png_bytes(pixels, palette()))
    assert pixels_of(tmp_path / "x.png").reshape(-1, 3).tolist() == [list(colour) for colour in colours]
    with pytest.raises(ValueError, match="out of range"):
        png_bytes(pixels + 25, palette())


@pytest.fixture
def planted_rows():
    weights, kept = torch.full((2 * STEP, 2 * STEP), 1e-4), torch.ones(2 * STEP, 2 * STEP, dtype=torch.bool)
    weights[0, 0] = weights[STEP + 1, 2] = weights[-1, -1] = 1.0
    kept[STEP + 1, 2] = False
    return weights, kept


def test_a_generated_token_reads_what_is_kept():
    q, k = torch.randn(1, 4, 1024, 8), torch.randn(1, 2, 1024, 8)
    for spec in ("quest:tokens=64", "tova:tokens=40"):
        mask = plan_mask(parse_backend(spec), q, k, 0.3)
        assert torch.equal(mask[:, :512], causal_mask(0, 512, 0, 1024, q.device).expand(4, -1, -1))
        read = mask[:, 512:].sum(-1)
        assert (
            int(read.min()) >= 40
            and int(read.max()) <= 72
            and not (mask & ~causal_mask(0, 1024, 0, 1024, q.device)).any()
        )
