#include "controlplane/health/node_watch.h"

namespace penstock {
namespace {

bool passed(Nanoseconds since, Nanoseconds now, Nanoseconds time) {
  return now > since && now - since >= time;
}

}  // namespace

const char* node_state_name(NodeState state) {
  switch (state) {
    case NodeState::kUp:
      return "up";
    case NodeState::kAgentLost:
      return "agent_lost";
    case NodeState::kPathLost:
      return "path_lost";
    case NodeState::kDead:
      return "dead";
    case NodeState::kUnknown:
      break;
  }
  return "unknown";
}

void NodeWatch::hear_agent(Nanoseconds last, Nanoseconds now) {
  if (!known_ || passed(agent_last_, last, kAgentSilence)) agent_began_ = last;
  agent_last_ = last;
  if (passed(last, now, kAgentSilence)) {
    talks_ = false;
  } else if (!known_ || passed(agent_began_, last, kSteady)) {
    talks_ = true;
  }
}

void NodeWatch::hear_gateways(const PathVotes& votes, Nanoseconds now) {
  Path said = Path::kUnknown;
  if (votes.heard != votes.unheard) {
    said = votes.heard > votes.unheard ? Path::kHeard : Path::kUnheard;
  } else if (votes.heard != 0) {
    said = said_;
  } else if (votes.doubting != 0) {
    said = Path::kDoubted;
  }
  if (said != said_) said_since_ = now;
  said_ = said;
  const auto lost = [](Path path) { return path == Path::kUnheard || path == Path::kDoubted; };
  if (lost(path_) && said == Path::kHeard && !passed(said_since_, now, kSteady)) return;
  if (lost(said) && !lost(path_)) lost_since_ = now;
  path_ = said;
}

// A host that dies takes path and agent at once, and its agent counts as talking for a while. So the path
// alone is lost only when the agent has said something since; until then the former state stays.
NodeState NodeWatch::next() const {
  const bool lost = path_ == Path::kUnheard || path_ == Path::kDoubted;
  if (talks_) {
    if (!lost) return NodeState::kUp;
    return agent_last_ > lost_since_ ? NodeState::kPathLost : state_;
  }
  if (path_ == Path::kHeard) return NodeState::kAgentLost;
  return path_ == Path::kUnheard ? NodeState::kDead : NodeState::kUnknown;
}

bool NodeWatch::update(Nanoseconds agent_last, const PathVotes& votes, Nanoseconds now) {
  hear_agent(agent_last, now);
  hear_gateways(votes, now);
  const NodeState state = next();
  const bool changed = !known_ || state != state_;
  known_ = true;
  if (changed) since_ = now;
  state_ = state;
  return changed;
}

}  // namespace penstock
