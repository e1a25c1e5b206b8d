// quic_bench [--json FILE] [--quick]: routing by connection ID, and the AES below it beside OpenSSL's EVP.
#include <benchmark/benchmark.h>
#include <openssl/evp.h>

#include <memory>
#include <vector>

#include "dataplane/quic/quic_router.h"
#include "perf/micro/report/benchmark_run.h"

namespace penstock::perf {
namespace {

using Block = std::array<std::uint8_t, kAesBlock>;
using Context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

constexpr Block kKey{0x8f, 0x95, 0xf0, 0x92, 0x45, 0x76, 0x5f, 0x80,
                     0x25, 0x69, 0x34, 0xe5, 0x0c, 0x66, 0x20, 0x7f};
constexpr int kServers = 1000;

QuicRouter make_router(const QuicConfig& config) {
  std::vector<std::vector<std::uint8_t>> ids;
  for (int i = 0; i < kServers; ++i) {
    std::vector<std::uint8_t> id(config.server_id_length);
    id[0] = static_cast<std::uint8_t>(i);
    id[1] = static_cast<std::uint8_t>(i >> 8);
    ids.push_back(id);
  }
  std::vector<QuicServer> servers;
  for (int i = 0; i < kServers; ++i)
    servers.push_back({ids[static_cast<std::size_t>(i)], static_cast<BackendIndex>(i)});
  return QuicRouter::build({&config, 1}, servers).value();
}

void register_route(const char* name, const QuicConfig& config) {
  benchmark::RegisterBenchmark(name, [router = make_router(config)](benchmark::State& state) {
    std::array<std::uint8_t, 64> payload{0x41, 0x00};
    for (auto _ : state) {
      payload[4] = static_cast<std::uint8_t>(payload[4] + 1);  // another connection
      benchmark::DoNotOptimize(payload);
      benchmark::DoNotOptimize(router.route(payload));
    }
  });
}

void register_twin(const char* name, Aes128::Twin twin) {
  benchmark::RegisterBenchmark(
      name, [aes = Aes128(kKey, Aes128::Direction::kEncrypt, twin)](benchmark::State& state) {
        Block block{};
        for (auto _ : state) aes.crypt(block.data(), block.data());
      });
}

Context make_context() {
  Context context(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  EVP_EncryptInit_ex(context.get(), EVP_aes_128_ecb(), nullptr, kKey.data(), nullptr);
  EVP_CIPHER_CTX_set_padding(context.get(), 0);
  return context;
}

void register_evp(const char* name, bool anew) {
  benchmark::RegisterBenchmark(name, [anew](benchmark::State& state) {
    Context context = make_context();
    Block block{};
    int length = 0;
    for (auto _ : state) {
      if (anew) context = make_context();
      EVP_EncryptUpdate(context.get(), block.data(), &length, block.data(), kAesBlock);
    }
  });
}

int bench(const BenchOptions& options) {
  std::vector<const char*> names{"route.clear",       "route.one_block", "route.three_rounds",
                                 "route.four_rounds", "block.library",   "block.evp_kept",
                                 "block.evp_anew"};
  register_route("route.clear", {0, 4, 8, std::nullopt});
  register_route("route.one_block", {0, 8, 8, kKey});
  register_route("route.three_rounds", {0, 4, 8, kKey});
  register_route("route.four_rounds", {0, 8, 4, kKey});
  if (Aes128::has_hardware()) {
    names.insert(names.begin() + 4, "block.hardware");
    register_twin("block.hardware", Aes128::Twin::kHardware);
  }
  register_twin("block.library", Aes128::Twin::kLibrary);
  register_evp("block.evp_kept", false);
  register_evp("block.evp_anew", true);
  const auto times = run_benchmarks({.repetitions = options.quick ? 3 : 11, .min_seconds = 0.02});
  Figures figures("quic");
  for (const char* name : names) figures.add(std::string("quic.") + name, times.at(name).real_ns, "ns");
  return figures.finish(options);
}

}  // namespace
}  // namespace penstock::perf

int main(int argc, char** argv) {
  return penstock::perf::bench(penstock::perf::bench_options_or_exit(argc, argv));
}
