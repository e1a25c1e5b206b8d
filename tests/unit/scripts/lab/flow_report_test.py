#!/usr/bin/python3
"""The verdict of the fault scenarios rests on these functions."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "scripts"))
from lab.flow_report import (Connection, Download, Report, Session, broken, gaps_ms, last_disturbance,  # noqa: E402
                             packets_lost, parse, percentile, reasons, shares)


def connection(backend: str = "be1", *, why: str = "", gap_ms: float = 1, began: float = 0, again: int = 0) -> Connection:
    return Connection(0, backend, why, 5.0 if why else 0.0, gap_ms, began, 10, again)


def download(backend: str = "be1", *, why: str = "") -> Download:
    return Download(0, backend, why, 5.0 if why else 0.0, 1000, 0, 4096, 0)


def report(connections=(), sessions=(), downloads=()) -> Report:
    return Report("x", 10.0, list(connections), list(sessions), list(downloads))


class Parse(unittest.TestCase):
    def test_takes_the_rows_in_the_order_of_the_tool(self):
        parsed = parse({"report": "r1", "at": 3.5, "connections": [[1, "be2", "reset", 2.5, 7.25, 1.5, 4, 2]],
                        "sessions": [[0, "be1", 9, 6, 2, 1, 40.0, 1.0]],
                        "downloads": [[0, "be3", "", 0.0, 900.0, 1.0, 4096, 3]]})
        self.assertEqual((parsed.tag, parsed.at), ("r1", 3.5))
        self.assertEqual((parsed.connections[0].backend, parsed.connections[0].broken), ("be2", "reset"))
        self.assertEqual((parsed.connections[0].gap_ms, parsed.connections[0].retransmitted), (7.25, 2))
        self.assertEqual((parsed.sessions[0].lost, parsed.sessions[0].moved), (2, 1))
        self.assertEqual((parsed.downloads[0].bytes, parsed.downloads[0].completed), (4096, 3))

    def test_refuses_a_row_of_another_length(self):
        with self.assertRaises(TypeError):
            parse({"report": "r", "at": 0, "connections": [[0, "be1"]], "sessions": [], "downloads": []})


class Percentile(unittest.TestCase):
    def test_is_the_nearest_rank(self):
        values = list(range(1, 201))
        self.assertEqual(percentile(values, 50), 100)
        self.assertEqual(percentile(values, 99), 198)
        self.assertEqual(percentile(values, 100), 200)

    def test_of_one_value_is_that_value(self):
        self.assertEqual(percentile([7.5], 1), 7.5)

    def test_of_nothing_is_zero(self):
        self.assertEqual(percentile([], 99), 0)


class Broken(unittest.TestCase):
    def test_counts_connections_and_downloads_but_none_that_was_retired(self):
        seen = report([connection(), connection(why="reset"), connection(why="retired")],
                      downloads=[download(why="closed"), download()])
        self.assertEqual([f.broken for f in broken(seen)], ["reset", "closed"])

    def test_spares_those_of_the_dead_backend_only(self):
        seen = report([connection("be1", why="reset"), connection("be2", why="reset")])
        self.assertEqual([f.backend for f in broken(seen, frozenset({"be1"}))], ["be2"])

    def test_a_connection_that_nobody_greeted_is_not_spared(self):
        self.assertEqual(len(broken(report([connection("", why="timeout")]), frozenset({"be1"}))), 1)

    def test_reasons_come_with_their_numbers_the_most_frequent_first(self):
        self.assertEqual(reasons([connection(why="closed"), connection(why="reset"), connection(why="reset")]),
                         "2 reset, 1 closed")


class Gaps(unittest.TestCase):
    def test_are_those_of_whole_connections(self):
        seen = report([connection(gap_ms=3), connection(why="timeout", gap_ms=20000), connection(why="retired", gap_ms=5)])
        self.assertEqual(gaps_ms(seen), [3, 5])

    def test_disturbance_lasts_to_the_end_of_the_last_unusual_gap(self):
        seen = report([connection(gap_ms=250, began=10.1), connection(gap_ms=60, began=10.4),
                       connection(gap_ms=20, began=12.0)])
        self.assertAlmostEqual(last_disturbance(seen, 10.0, 50), 0.46)

    def test_gaps_before_the_fault_are_none_of_it(self):
        self.assertEqual(last_disturbance(report([connection(gap_ms=250, began=9.0)]), 10.0, 50), 0)


class Losses(unittest.TestCase):
    def test_are_datagrams_and_segments(self):
        seen = report([connection(again=2), connection(again=1)], [Session(0, "be1", 10, 7, 3, 0, 1, 0)])
        self.assertEqual(packets_lost(seen), 6)


class Shares(unittest.TestCase):
    def test_count_open_connections(self):
        self.assertEqual(shares(report([connection("be3"), connection("be1"), connection("be3"),
                                        connection("be2", why="reset")])), {"be1": 1, "be3": 2})


if __name__ == "__main__":
    unittest.main()
