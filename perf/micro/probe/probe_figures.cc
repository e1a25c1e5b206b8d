#include "perf/micro/probe/probe_figures.h"

#include <vector>

#include "perf/micro/probe/judge_cost.h"
#include "perf/micro/probe/probe_cost.h"

namespace penstock::perf {
namespace {

constexpr std::size_t kBackends = 1000;
constexpr Nanoseconds kInterval = Nanoseconds::from_millis(50);

}  // namespace

Status add_probe_figures(Figures& figures, bool quick) {
  std::vector<double> total, prober, worker, question, answered;
  for (int i = 0; i < (quick ? 3 : 9); ++i) {
    const auto cost = measure_probe_cost(kBackends, kInterval, quick ? 1 : 3);
    if (!cost) return cost.error();
    total.push_back(cost->total_percent());
    prober.push_back(cost->prober_percent);
    worker.push_back(cost->worker_percent);
    question.push_back(cost->ns_per_question());
    answered.push_back(cost->answered_percent);
  }
  figures.add("probe.1000_at_20hz.total", Samples(total), "% of a core", at_most(2));
  figures.add("probe.1000_at_20hz.prober", Samples(prober), "% of a core");
  figures.add("probe.1000_at_20hz.workers", Samples(worker), "% of a dataplane core", at_most(2));
  figures.add("probe.question_and_answer", Samples(question), "ns");
  figures.add("probe.answered", Samples(answered), "%", at_least(99));
  std::vector<double> answer, busy, report;
  for (int i = 0; i < (quick ? 3 : 9); ++i) {
    const JudgeCost cost = measure_judge_cost(kBackends, quick ? 5 : 20);
    answer.push_back(cost.ns_per_answer);
    busy.push_back(cost.ns_per_busy_answer);
    report.push_back(cost.report_us);
  }
  figures.add("judge.answer", Samples(answer), "ns", at_most(300));
  figures.add("judge.answer_in_slow_start", Samples(busy), "ns");
  figures.add("judge.report_of_1000", Samples(report), "us");
  return Ok{};
}

}  // namespace penstock::perf
