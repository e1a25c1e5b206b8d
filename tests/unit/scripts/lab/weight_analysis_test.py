#!/usr/bin/python3
"""The verdict of the load scenarios rests on these functions: each is held against weights whose course is known."""
import math
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "scripts"))
from lab.weight_analysis import Sample, convergence, mean_shares, reaction, settling  # noqa: E402


def course(share_at, *, until: float = 10, since: float = 0, gateways=("gw1", "gw2")) -> list[Sample]:
    """Fifty looks a second at be1, whose share is a function of time; be2 has the rest."""
    times = [since + 0.02 * i for i in range(int((until - since) / 0.02))]
    return [Sample(t, g, {"be1": share_at(t), "be2": 1 - share_at(t)}) for t in times for g in gateways]


class MeanShares(unittest.TestCase):
    def test_are_over_samples_and_gateways(self):
        samples = [Sample(0, "gw1", {"be1": 0.2, "be2": 0.8}), Sample(0, "gw2", {"be1": 0.4, "be2": 0.6})]
        self.assertAlmostEqual(mean_shares(samples)["be1"], 0.3)
        self.assertAlmostEqual(mean_shares(samples)["be2"], 0.7)

    def test_of_nothing_are_none(self):
        self.assertEqual(mean_shares([]), {})


class Convergence(unittest.TestCase):
    def test_ends_when_the_last_share_stays(self):
        samples = course(lambda t: 0.5 if t < 3 else 0.25)
        self.assertAlmostEqual(convergence(samples, 0, {"be1": 0.25, "be2": 0.75}, within=0.1, over=0.5), 3)

    def test_is_immediate_where_nothing_moves(self):
        self.assertEqual(convergence(course(lambda t: 0.25), 0, {"be1": 0.25, "be2": 0.75}, within=0.1), 0)

    def test_a_late_relapse_counts(self):
        samples = course(lambda t: 0.5 if 8 <= t < 8.5 else 0.25)
        self.assertGreaterEqual(convergence(samples, 0, {"be1": 0.25, "be2": 0.75}, within=0.1), 8.5)


class Reaction(unittest.TestCase):
    def test_is_that_of_the_last_gateway(self):
        calm = course(lambda t: 0.3, until=5)
        after = (course(lambda t: 0.3 if t < 5.2 else 0.2, since=5, gateways=["gw1"])
                 + course(lambda t: 0.3 if t < 5.6 else 0.2, since=5, gateways=["gw2"]))
        self.assertAlmostEqual(reaction(calm, after, "be1", 5), 0.6, delta=0.021)

    def test_the_noise_of_before_is_none(self):
        calm = course(lambda t: 0.3 + 0.02 * math.sin(40 * t), until=5)
        after = course(lambda t: 0.3 + 0.02 * math.sin(40 * t) - (0.1 if t > 7 else 0), since=5)
        self.assertAlmostEqual(reaction(calm, after, "be1", 5), 2, delta=0.1)

    def test_a_weight_that_stays_never_reacts(self):
        calm, after = course(lambda t: 0.3, until=5), course(lambda t: 0.299, since=5)
        self.assertEqual(reaction(calm, after, "be1", 5), math.inf)


class SettlingTest(unittest.TestCase):
    def test_a_clean_exponential_settles_when_it_is_within_five_percent(self):
        samples = course(lambda t: 0.2 + 0.1 * math.exp(-t / 0.5))
        found = settling(samples, "be1", 0, 0.3, 0.2)
        # Smoothed, hence later. 5 % of the final share is a tenth of the way here.
        self.assertAlmostEqual(found.seconds, 0.5 * math.log(10), delta=0.2)
        self.assertAlmostEqual(found.most, found.seconds, delta=0.03)
        self.assertAlmostEqual(found.overshoot, 0, delta=1e-3)

    def test_what_goes_below_before_it_settles_is_overshoot(self):
        samples = course(lambda t: 0.1 if t < 2 else 0.2)
        found = settling(samples, "be1", 0, 0.3, 0.2)
        self.assertAlmostEqual(found.seconds, 2.25, delta=0.05)
        self.assertAlmostEqual(found.overshoot, 0.5, delta=1e-6)

    def test_upwards_it_is_what_goes_above(self):
        self.assertAlmostEqual(settling(course(lambda t: 0.1), "be1", 0, 0.1, 0.2).overshoot, 0, delta=1e-6)
        self.assertAlmostEqual(settling(course(lambda t: 0.22), "be1", 0, 0.1, 0.2).overshoot, 0.1, delta=1e-6)

    def test_of_a_share_that_is_right_at_once_is_zero(self):
        self.assertEqual(settling(course(lambda t: 0.2), "be1", 0, 0.3, 0.2).seconds, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
