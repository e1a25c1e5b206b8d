// penstock-controlplane: makes the parts and connects them.
#include <spdlog/spdlog.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "controlplane/api/api.h"
#include "controlplane/api/http_server.h"
#include "controlplane/load/planner.h"
#include "controlplane/load/solver.h"
#include "controlplane/store/sqlite_store.h"
#include "controlplane/stream/streams.h"
#include "penstock/base/exit_code.h"
#include "penstock/process/settings.h"
#include "penstock/process/tls.h"

namespace penstock {
namespace {

struct Options {
  std::string store = "/var/lib/penstock/controlplane.db";
  std::string rest = "127.0.0.1:7780";
  std::string grpc = "127.0.0.1:7781";
  TlsFiles tls;
};

/// Says why the process ends and how a supervisor should take it.
int fail(const Error& error) {
  std::fprintf(stderr, "penstock-controlplane: %s\n", error.text().c_str());
  switch (error.code) {
    case ErrorCode::kInvalidArgument:
      return kExitBadConfig;
    case ErrorCode::kUnavailable:
      return kExitTempFail;
    case ErrorCode::kPermissionDenied:
      return kExitNoPermission;
    default:
      return kExitFailure;
  }
}

int serve(const Options& options) {
  auto store = SqliteStore::open(options.store);
  if (!store) return fail(store.error());
  load::Solver solver;
  load::Planner planner({}, [&solver](const load::SolverInput& input) { return solver.solve(input); });
  auto streams = Streams::start(options.grpc, options.tls, planning_by(planner));
  if (!streams) return fail(streams.error());
  auto desired =
      Desired::load(std::move(*store), [&](DesiredSnapshot state) { (*streams)->publish(std::move(state)); });
  if (!desired) return fail(desired.error());
  const Api api(**desired, **streams, PENSTOCK_VERSION);
  auto http =
      HttpServer::listen(options.rest, [&](const HttpRequest& request) { return api.handle(request); });
  if (!http) return fail(http.error());
  spdlog::info("penstock-controlplane {}: generation {} of {}, REST on port {}, gRPC on {}", PENSTOCK_VERSION,
               (*desired)->now()->generation, options.store, (*http)->port(),
               (*streams)->port() == 0 ? options.grpc : "port " + std::to_string((*streams)->port()));
  (*http)->run();
  return kExitOk;
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) {
  CLI::App app{"Keeps the desired state of a Penstock site and serves it by REST and gRPC",
               "penstock-controlplane"};
  penstock::Settings settings(app);
  penstock::Options options;
  app.add_option("--store", options.store, "SQLite file of the desired state")->capture_default_str();
  app.add_option("--rest", options.rest, "HOST:PORT of the REST interface, loopback only")
      ->capture_default_str();
  app.add_option("--grpc", options.grpc, "HOST:PORT for gateways and nodes")->capture_default_str();
  options.tls.add_to(app);
  if (const auto code = settings.parse(argc, argv)) return *code;
  return penstock::serve(options);
}
