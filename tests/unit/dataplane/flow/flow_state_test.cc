#include "dataplane/flow/flow_state.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

using enum PacketKind;

FlowState after(std::initializer_list<PacketKind> packets) {
  FlowState s = first_state(*packets.begin());
  for (auto p = packets.begin() + 1; p != packets.end(); ++p) s = next_state(*p, s);
  return s;
}

TEST(FlowState, HandshakeConfirms) {
  EXPECT_EQ(after({kSyn}), FlowState::kSyn);
  EXPECT_EQ(after({kSyn, kAck}), FlowState::kEstablished);
  EXPECT_EQ(after({kSyn, kFin}), FlowState::kClosing);
}

TEST(FlowState, RepeatedSynsDoNotConfirm) { EXPECT_EQ(after({kSyn, kSyn, kSyn}), FlowState::kSyn); }

TEST(FlowState, ASecondPacketConfirmsAPickedUpFlow) {
  EXPECT_EQ(after({kAck}), FlowState::kPickup);
  EXPECT_FALSE(is_confirmed(after({kAck})));
  EXPECT_EQ(after({kAck, kAck}), FlowState::kEstablished);
}

TEST(FlowState, ASecondDatagramConfirms) {
  EXPECT_FALSE(is_confirmed(after({kUdp})));
  EXPECT_EQ(after({kUdp, kUdp}), FlowState::kUdp);
}

TEST(FlowState, ForgedSynDoesNotDisturbAnEstablishedFlow) {
  EXPECT_EQ(after({kSyn, kAck, kSyn}), FlowState::kEstablished);
}

TEST(FlowState, ForgedRstIsUndoneByTheNextPacket) {
  EXPECT_EQ(after({kSyn, kAck, kRst}), FlowState::kReset);
  EXPECT_EQ(after({kSyn, kAck, kRst, kAck}), FlowState::kEstablished);
}

TEST(FlowState, HalfOpenFlowStaysClosing) {
  EXPECT_EQ(after({kSyn, kAck, kFin, kAck, kAck}), FlowState::kClosing);
  EXPECT_EQ(after({kSyn, kAck, kFin, kRst, kAck}), FlowState::kClosing);
}

TEST(FlowState, SynOnAnEndedFlowBeginsAnother) {
  EXPECT_EQ(after({kSyn, kAck, kFin, kSyn}), FlowState::kFree);
  EXPECT_EQ(after({kSyn, kAck, kRst, kSyn}), FlowState::kFree);
}

TEST(FlowState, FinOrRstAloneIsNoFlow) {
  EXPECT_EQ(first_state(kFin), FlowState::kFree);
  EXPECT_EQ(first_state(kRst), FlowState::kFree);
}

TEST(FlowState, OnceConfirmedStaysConfirmedUntilItEnds) {
  for (std::size_t kind = 0; kind < kPacketKinds; ++kind) {
    for (std::size_t s = 0; s < kFlowStates; ++s) {
      const auto before = static_cast<FlowState>(s);
      const FlowState next = next_state(static_cast<PacketKind>(kind), before);
      if (is_confirmed(before) && next != FlowState::kFree) {
        EXPECT_TRUE(is_confirmed(next)) << "packet " << kind << " state " << s;
      }
    }
  }
}

TEST(FlowState, EveryStateHasADumpWord) {
  EXPECT_EQ(flow_state_text(FlowState::kSyn), "syn");
  EXPECT_EQ(flow_state_text(FlowState::kPickup), "established");
  EXPECT_EQ(flow_state_text(FlowState::kEstablished), "established");
  EXPECT_EQ(flow_state_text(FlowState::kClosing), "closing");
  EXPECT_EQ(flow_state_text(FlowState::kReset), "closing");
  EXPECT_EQ(flow_state_text(FlowState::kUdpSingle), "udp");
  EXPECT_EQ(flow_state_text(FlowState::kUdp), "udp");
}

}  // namespace
}  // namespace penstock
