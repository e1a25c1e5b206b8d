#!/usr/bin/python3
"""The demo's verdict rests on these functions: each is held against records whose answer is known."""
import random
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "scripts"))
from lab.analysis import Record, change_point, largest_share_error, last_new_flow, outage, shares  # noqa: E402
from lab.figures import Figures  # noqa: E402

_OLD = {"be1": 1, "be2": 2, "be3": 3}
_NEW = {"be1": 6, "be2": 2, "be3": 3}


def record(start: float, backend: str = "be1", *, latency_ms: float = 1, error: str = "", sequence: int = 0) -> Record:
    return Record("http", 0, start, latency_ms, backend, error, int(start * 1e6), sequence)


class Shares(unittest.TestCase):
    def test_count_new_flows_that_were_answered(self):
        records = [record(1, "be1"), record(2, "be3"), record(3, "be3"), record(4, "be3"),
                   record(5, "be1", sequence=1), record(6, "", error="lost")]
        self.assertEqual(shares(records), {"be1": 0.25, "be3": 0.75})

    def test_error_is_the_worst_backends_distance_in_points(self):
        records = [record(i, "be1") for i in range(2)] + [record(i, "be3") for i in range(4)]
        # be2 has a third of the weight and nothing of the traffic.
        self.assertAlmostEqual(largest_share_error(records, _OLD), 100 / 3)

    def test_an_unknown_backend_counts_as_an_error(self):
        self.assertAlmostEqual(largest_share_error([record(1, "stranger")], {"be1": 1}), 100)

    def test_no_answer_is_the_largest_error(self):
        self.assertEqual(largest_share_error([record(1, "", error="lost")], _OLD), 100)


class ChangePoint(unittest.TestCase):
    def test_is_found_within_a_tenth_of_a_second_at_two_hundred_flows_a_second(self):
        seed = random.randrange(1 << 30)
        source = random.Random(seed)
        misses = []
        for _ in range(50):
            truth = source.uniform(0.1, 1.5)
            records = []
            for i in range(600):
                weights = _OLD if i / 200 < truth else _NEW
                backend = source.choices(list(weights), list(weights.values()))[0]
                records.append(record(i / 200, backend))
            misses.append(abs(change_point(records, 0, _OLD, _NEW) - truth))
        self.assertLess(sorted(misses)[25], 0.1, f"seed {seed}")

    def test_is_not_before_the_call(self):
        records = [record(i / 100, "be1") for i in range(100)]
        self.assertEqual(change_point(records, 0.5, _OLD, _NEW), 0.5)

    def test_is_late_when_the_answers_never_change(self):
        records = [record(i / 100, ("be2", "be3", "be3")[i % 3]) for i in range(300)]
        self.assertGreater(change_point(records, 0, _OLD, _NEW), 2.9)


class Outages(unittest.TestCase):
    def test_last_from_the_event_to_the_last_affected_request(self):
        records = [record(10 + i / 10) for i in range(100)]
        records += [record(12.1, latency_ms=1040), record(12.3, "", error="timeout", latency_ms=5000)]
        cost = outage(records, 12.0, 20.0)
        self.assertAlmostEqual(cost.seconds, 0.3)
        self.assertAlmostEqual(cost.longest_wait, 1.04)
        self.assertEqual(cost.failed, 1)

    def test_count_requests_under_way_at_the_event(self):
        records = [record(11.9, "", error="reset", latency_ms=300), record(12.5)]
        self.assertEqual(outage(records, 12.0, 13.0).failed, 1)

    def test_a_silence_until_the_end_is_the_longest_gap(self):
        records = [record(11.0), record(12.2)]
        self.assertAlmostEqual(outage(records, 12.0, 20.0).longest_gap, 7.799)

    def test_without_any_answer_the_gap_is_everything(self):
        self.assertEqual(outage([], 12.0, 20.0).longest_gap, 8.0)


class Drained(unittest.TestCase):
    def test_last_new_flow_ignores_requests_on_old_connections(self):
        records = [record(1, "be2"), record(2, "be2"), record(3, "be2", sequence=7), record(4, "be1")]
        self.assertEqual(last_new_flow(records, "be2", 0, 10), 2)
        self.assertIsNone(last_new_flow(records, "be2", 2.5, 10))


class Verdict(unittest.TestCase):
    def test_one_missed_target_fails_the_whole(self):
        figures = Figures("x")
        figures.add("a", 5.0, "points", at_most=5)
        figures.add("b", 1, "informational")
        self.assertTrue(figures.all_passed)
        figures.add("c", 1, "gateways", at_least=2)
        self.assertFalse(figures.all_passed)


if __name__ == "__main__":
    unittest.main()
