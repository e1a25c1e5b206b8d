#include "tests/traffic/http_load.h"

namespace penstock::traffic {

HttpLoad::HttpLoad(EventLoop& loop, Recorder& recorder, HttpSettings settings)
    : loop_(loop), recorder_(recorder), settings_(std::move(settings)) {}

void HttpLoad::start() {
  if (settings_.targets.empty() || settings_.requests_per_second <= 0) return;
  next_ = monotonic_now();
  tick();
}

void HttpLoad::tick() {
  if (stopping_) return;
  const Nanoseconds now = monotonic_now();
  const Nanoseconds period(static_cast<std::uint64_t>(1e9 / settings_.requests_per_second));
  // After a stall of the whole machine the lost requests are not sent all at once.
  if (now > next_ + Nanoseconds::from_millis(500)) next_ = now;
  while (next_ <= now) {
    begin();
    next_ = next_ + period;
  }
  loop_.at(next_, [this] { tick(); });
}

void HttpLoad::begin() {
  const std::uint64_t id = next_id_++;
  const std::size_t target = id % settings_.targets.size();
  const Nanoseconds now = monotonic_now();
  if (open_.size() >= settings_.max_outstanding) {
    recorder_.add({"http", target, now, now, "", "not begun: too many requests without an answer", id, 0});
    return;
  }
  const std::uint64_t round = id / settings_.targets.size();
  const bool large = settings_.large_every != 0 && round % settings_.large_every == 0;
  auto connection = std::make_unique<HttpConnection>(
      loop_, settings_.targets[target], [this, id](const HttpAnswer& answer) { end(id, answer); });
  HttpConnection& started = *connection;
  open_.emplace(id, Request{std::move(connection), now, target});
  started.get(large ? "/large" : "/", true);
  loop_.after_ms(settings_.timeout_ms, [this, id] { time_out(id); });
}

void HttpLoad::end(std::uint64_t id, const HttpAnswer& answer) {
  const auto found = open_.find(id);
  if (found == open_.end()) return;
  const Request& r = found->second;
  recorder_.add({"http", r.target, r.start, monotonic_now(), answer.backend, answer.error, id, 0});
  // The connection is still on the call stack.
  std::shared_ptr<HttpConnection> ended = std::move(found->second.connection);
  loop_.defer([ended] {});
  open_.erase(found);
}

void HttpLoad::time_out(std::uint64_t id) {
  const auto found = open_.find(id);
  if (found == open_.end()) return;
  const Request& r = found->second;
  recorder_.add({"http", r.target, r.start, monotonic_now(), "",
                 "timeout while " + std::string(r.connection->phase()), id, 0});
  open_.erase(found);
}

LongLivedLoad::LongLivedLoad(EventLoop& loop, Recorder& recorder, LongLivedSettings settings)
    : loop_(loop), recorder_(recorder), settings_(std::move(settings)) {}

void LongLivedLoad::start() {
  if (settings_.targets.empty()) return;
  slots_.resize(settings_.connections);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    slots_[i].target = i % settings_.targets.size();
    reopen_later(slots_[i], i * settings_.interval_ms / slots_.size());
  }
}

void LongLivedLoad::open(Slot& slot) {
  if (stopping_) return;
  slot.flow = next_flow_++;
  slot.sequence = 0;
  slot.backend.clear();
  slot.retiring = false;
  const std::uint64_t flow = slot.flow;
  slot.connection = std::make_unique<HttpConnection>(
      loop_, settings_.targets[slot.target],
      [this, &slot, flow](const HttpAnswer& answer) { on_answer(slot, flow, answer); });
  request(slot, flow);
}

void LongLivedLoad::request(Slot& slot, std::uint64_t flow) {
  if (stopping_ || slot.flow != flow || !slot.connection || slot.connection->busy()) return;
  if (slot.retiring) return reopen_later(slot, 0);
  slot.start = monotonic_now();
  const std::uint64_t sequence = slot.sequence;
  slot.connection->get("/", false);
  loop_.after_ms(settings_.timeout_ms, [this, &slot, flow, sequence] { time_out(slot, flow, sequence); });
}

void LongLivedLoad::on_answer(Slot& slot, std::uint64_t flow, const HttpAnswer& answer) {
  if (slot.flow != flow || !slot.connection) return;
  const bool first = slot.sequence == 0;
  std::string error = answer.error;
  if (error.empty() && !first && answer.backend != slot.backend)
    error = "backend changed within a connection";
  if (!answer.backend.empty()) slot.backend = answer.backend;
  if (error == "closed by the server") slot.start = monotonic_now();
  record(slot, error);
  ++slot.sequence;
  if (answer.last) return reopen_later(slot, 100);
  loop_.after_ms(settings_.interval_ms, [this, &slot, flow] { request(slot, flow); });
}

void LongLivedLoad::time_out(Slot& slot, std::uint64_t flow, std::uint64_t sequence) {
  const bool waiting =
      slot.flow == flow && slot.sequence == sequence && slot.connection && slot.connection->busy();
  if (!waiting) return;
  record(slot, "timeout while " + std::string(slot.connection->phase()));
  reopen_later(slot, 0);
}

void LongLivedLoad::reopen_later(Slot& slot, std::uint64_t delay_ms) {
  std::shared_ptr<HttpConnection> ended = std::move(slot.connection);
  loop_.defer([ended] {});
  loop_.after_ms(delay_ms, [this, &slot] { open(slot); });
}

void LongLivedLoad::record(const Slot& slot, const std::string& error) {
  recorder_.add(
      {"long", slot.target, slot.start, monotonic_now(), slot.backend, error, slot.flow, slot.sequence});
}

void LongLivedLoad::retire(const std::string& backend) {
  for (Slot& slot : slots_) {
    if (slot.backend == backend) slot.retiring = true;
  }
}

}  // namespace penstock::traffic
