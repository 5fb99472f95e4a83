"""Page bounds stay with a cache while it only grows; whatever else happens to it, they are made anew."""

import copy
import pickle
import weakref

import pytest
import torch

pytest.importorskip("transformers")

import transformers

from nl_tasks.kernels.page_bounds import PageBounds
from nl_tasks.sparse_backends import evict
from nl_tasks.sparse_backends.evict import Slot
from nl_tasks.sparse_backends.quest import Quest
from nl_tasks.sparse_backends.registry import parse_backend

BACKEND = Quest(page=4, tokens=12)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=100,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    return transformers.LlamaForCausalLM(config).eval()


@pytest.fixture
def bounded(monkeypatch):
    """The ranges of pages that were bounded, in order."""
    found, bound = [], PageBounds._bound

    def spy(self, k, first, last):
        found.append((first, last))
        bound(self, k, first, last)

    monkeypatch.setattr(PageBounds, "_bound", spy)
    return found


def prompt(rows=3, length=50):
    return torch.randint(1, 100, (rows, length), generator=torch.Generator().manual_seed(1))


def say(model, cache, token, count):
    """Logits `[count, B, vocabulary]` of greedy tokens after `token`, and the last token."""
    logits = []
    with torch.no_grad():
        for _ in range(count):
            logits.append(model(token, past_key_values=cache).logits[:, -1])
            token = logits[-1].argmax(-1, keepdim=True)
    return torch.stack(logits), token


def started(model):
    cache = transformers.DynamicCache()
    with torch.no_grad():
        return cache, model(prompt(), past_key_values=cache).logits[:, -1:].argmax(-1)


def test_pages_are_bounded_once(model, bounded):
    with BACKEND.attach(model):
        cache, token = started(model)
        say(model, cache, token, 10)
    assert bounded == [(0, 12), (12, 13), (13, 14)]


@pytest.mark.parametrize(
    "change",
    {
        "crop": lambda cache: cache.crop(-3),
        "reorder": lambda cache: cache.reorder_cache(torch.tensor([2, 0, 1])),
        "select": lambda cache: cache.batch_select_indices(torch.tensor([2, 0, 1])),
        "write": lambda cache: cache.layers[0].keys[:, :, 5].zero_(),
    }.values(),
    ids=["crop", "reorder", "select", "write"],
)
def test_a_changed_cache_is_bounded_anew(model, bounded, change):
    with BACKEND.attach(model):
        cache, token = started(model)
        token = say(model, cache, token, 6)[1]
        change(cache)
        fresh = copy.deepcopy(cache)
        fresh.layers[0].nl_slot = evict.Slot()
        bounded.clear()
        found, _ = say(model, cache, token, 2)
        assert bounded[0][0] == 0
        assert torch.equal(found, say(model, fresh, token, 2)[0])


def test_tokens_added_without_the_backend(model, bounded):
    with BACKEND.attach(model):
        cache, token = started(model)
        token = say(model, cache, token, 6)[1]
    cache.crop(-2)
    say(model, cache, token, 2)  # as many keys as before, but others
    bounded.clear()
    with BACKEND.attach(model):
        say(model, cache, token, 1)
    assert bounded[0][0] == 0


def test_rows_with_padding_are_bounded_on_their_own(model, bounded):
    ids, mask = prompt(2, 30), torch.ones(2, 30, dtype=torch.long)
    mask[0, :7] = 0
    with BACKEND.attach(model):
        together = model.generate(ids, attention_mask=mask, max_new_tokens=8, do_sample=False, eos_token_id=None)
        assert bounded[:2] == [(0, 5), (0, 7)]
        for row, start in ((0, 7), (1, 0)):
            alone = model.generate(ids[row : row + 1, start:], max_new_tokens=8, do_sample=False, eos_token_id=None)
            assert torch.equal(together[row, 30:], alone[0, 30 - start :])


def test_keys_that_their_cache_has_let_go_of_are_gone():
    slot, keys = Slot(), torch.zeros(1, 1, 4, 2)
    slot.compare(keys)
    slot.leave(keys)
    slot.memory["bounds"] = {}
    slot.compare(keys)
    assert slot.memory  # the same keys: remembered
    slot.leave(keys)
    gone = weakref.ref(keys)
    del keys
    assert gone() is None
    slot.compare(None)
    assert not slot.memory


def test_a_cache_is_written_to_a_file_without_what_is_remembered(model, tmp_path):
    cache = transformers.DynamicCache()
    with BACKEND.attach(model), torch.no_grad():
        model(torch.arange(40)[None], past_key_values=cache)
        model(torch.tensor([[5]]), past_key_values=cache)
        expected = model(torch.tensor([[6]]), past_key_values=copy.deepcopy(cache)).logits
        assert cache.layers[0].nl_slot.memory
        again = pickle.loads(pickle.dumps(cache))
        assert not again.layers[0].nl_slot.memory
        assert torch.equal(model(torch.tensor([[6]]), past_key_values=again).logits, expected)


def test_other_methods_keep_no_keys_alive(model):
    with parse_backend("snapkv:tokens=132").attach(model):
        cache, token = transformers.DynamicCache(), torch.ones(1, 1, dtype=torch.long)
        with torch.no_grad():
            model(prompt(1, 200), past_key_values=cache)
            model(token, past_key_values=cache)
    assert cache.layers[0].keys.shape[2] == 133
    assert cache.layers[0].nl_slot._left is None


@pytest.mark.parametrize("spec", ["snapkv:tokens=140", "ada_snapkv:tokens=140", "tova:tokens=100"])
@pytest.mark.parametrize("beams", [1, 3])
def test_evicted_caches_list_what_their_positions_say(model, spec, beams, monkeypatch):
    ids, mask = prompt(2, 300), torch.ones(2, 300, dtype=torch.long)
    mask[0, :120] = 0
    append, seen = evict.Slot.append, []

    def checked(self):
        held = append(self)
        tokens, counts = self.listed(held)
        expected = evict.listed(held)
        assert torch.equal(tokens, expected[0])
        assert torch.equal(counts, expected[1])
        assert not self.whole or bool(held.all())
        seen.append((self.packed is not None, self.whole))
        return held

    monkeypatch.setattr(evict.Slot, "append", checked)
    with parse_backend(spec).attach(model):
        model.generate(
            ids,
            attention_mask=mask,
            max_new_tokens=7,
            do_sample=False,
            eos_token_id=None,
            num_beams=beams,
            pad_token_id=0,
        )
    assert all(packed for packed, _ in seen)
    assert all(whole == (not spec.startswith("ada")) for _, whole in seen)
