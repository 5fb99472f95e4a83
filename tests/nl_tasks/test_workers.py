import multiprocessing
import time

import pytest

from nl_tasks.errors import RunError
from nl_tasks.workers import Workers


@pytest.mark.parametrize("count", [1, 2, 3])
def test_results_come_in_the_order_of_the_jobs(toys, count):
    with Workers(count) as workers:
        assert list(workers.map(toys.square, range(40))) == [number**2 for number in range(40)]
        assert list(workers.map(toys.square, [])) == []
        assert list(workers.map(toys.square, [3])) == [9]


@pytest.mark.parametrize("count", [1, 2])
def test_a_failure_reaches_the_caller_after_the_results_before_it(toys, count):
    results = []
    with pytest.raises(ValueError, match="five is right out"), Workers(count) as workers:
        for result in workers.map(toys.fail_at_five, range(20)):
            results.append(result)
    assert results == [0, 1, 2, 3, 4]
    assert not multiprocessing.active_children()


def test_an_exception_that_cannot_travel_keeps_its_text(toys):
    with pytest.raises(RunError, match="OddError: odd 1"), Workers(2) as workers:
        list(workers.map(toys.fail_oddly, [1]))


def test_a_worker_that_dies_is_a_failure_in_one_line(toys):
    with pytest.raises(RunError, match=r"a worker process died \(exit code 7\)") as caught, Workers(2) as workers:
        list(workers.map(toys.die_at_five, range(20)))
    assert "\n" not in str(caught.value)


def test_jobs_are_taken_no_faster_than_results_are(toys):
    taken = []

    def jobs():
        for number in range(100):
            taken.append(number)
            yield number

    with Workers(2) as workers:
        results = workers.map(toys.square, jobs())
        assert next(results) == 0
        time.sleep(0.3)
        assert len(taken) <= 1 + 2 * workers.count


def test_no_workers_are_refused():
    with pytest.raises(ValueError, match="workers=0 is out of range: at least 1"):
        Workers(0)
