"""How long lists of columns may have to be."""

import pytest

from nl_tasks.sparse_backends.vertical_slash import _most_columns


@pytest.mark.parametrize("rows,keys", [(1, 40), (7, 40), (40, 40), (1, 1)])
def test_no_columns_with_so_few_entries_are_more(rows, keys):
    seen = [min(rows, keys - key) for key in range(keys)]  # rows that see a key, the fewest of the last ones
    for target in range(sum(seen) + 1):
        bound, entries, count = _most_columns(target, rows, keys), 0, 0
        while count < keys and entries + seen[keys - 1 - count] <= target:
            entries += seen[keys - 1 - count]
            count += 1
        nearest = min(keys, count + 1)  # a plan may be over the target by its last column
        assert nearest <= bound <= nearest + 2 + rows.bit_length()
