// The telemetry programs stay small: what the verifier walks through is told and bounded.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <iostream>

#include "penstock/abi/telemetry.h"  // before the skeleton, which uses its names
#include "telemetry.skel.h"

namespace penstock {
namespace {

constexpr std::uint32_t kBudget = 2000;

TEST(TelemetryPrograms, TakeAtMost2000InstructionsOfTheVerifierEach) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  telemetry_bpf* skeleton = telemetry_bpf__open();
  ASSERT_NE(skeleton, nullptr);
  bpf_program* program = nullptr;
  // Not every kernel lets programs be called from functions.
  bpf_program__set_autoload(skeleton->progs.send_function, false);
  ASSERT_EQ(telemetry_bpf__load(skeleton), 0);
  bpf_object__for_each_program(program, skeleton->obj) {
    if (!bpf_program__autoload(program)) continue;
    bpf_prog_info info{};
    std::uint32_t size = sizeof info;
    ASSERT_EQ(bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size), 0);
    std::cout << bpf_program__name(program) << ": " << info.verified_insns << " instructions verified\n";
    EXPECT_LE(info.verified_insns, kBudget) << bpf_program__name(program);
  }
  telemetry_bpf__destroy(skeleton);
}

}  // namespace
}  // namespace penstock
