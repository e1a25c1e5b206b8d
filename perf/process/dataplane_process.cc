#include "perf/process/dataplane_process.h"

#include <grpcpp/grpcpp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "penstock/proto/dataplane.grpc.pb.h"

namespace penstock::perf {

struct DataplaneProcess::Parts {
  std::filesystem::path folder;
  ChildProcess process;
  std::unique_ptr<proto::Dataplane::Stub> stub;

  Parts(std::filesystem::path f, ChildProcess p, const std::shared_ptr<grpc::Channel>& channel)
      : folder(std::move(f)), process(std::move(p)), stub(proto::Dataplane::NewStub(channel)) {}
  ~Parts() {
    process.stop();
    std::filesystem::remove_all(folder);
  }
};

namespace {

Result<std::filesystem::path> private_folder() {
  char name[] = "/tmp/penstock-bench-XXXXXX";
  if (mkdtemp(name) == nullptr) return internal_error("cannot make a folder in /tmp");
  return std::filesystem::path(name);
}

Error as_error(const grpc::Status& status) { return unavailable("dataplane: " + status.error_message()); }

Result<proto::ApplyConfigResponse> accepted(const grpc::Status& status, proto::ApplyConfigResponse response) {
  if (!status.ok()) return as_error(status);
  if (response.accepted()) return response;
  if (response.refusals().empty()) return invalid("", "refused without a reason");
  return invalid(response.refusals(0).field(), response.refusals(0).message());
}

/// Whether somebody listens on the unix socket.
bool accepts(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const bool accepted = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return accepted;
}

std::filesystem::path dataplane_binary() {
  return std::filesystem::canonical("/proc/self/exe").parent_path().parent_path() / "bin" /
         "penstock-dataplane";
}

}  // namespace

DataplaneProcess::DataplaneProcess(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
DataplaneProcess::DataplaneProcess(DataplaneProcess&&) noexcept = default;
DataplaneProcess::~DataplaneProcess() = default;

ChildProcess& DataplaneProcess::process() { return parts_->process; }

Result<DataplaneProcess> DataplaneProcess::start(const std::vector<std::string>& flags) {
  auto folder = private_folder();
  if (!folder) return folder.error();
  const std::string socket = *folder / "dataplane.sock";
  std::vector<std::string> argv{dataplane_binary(), "--socket", socket};
  argv.insert(argv.end(), flags.begin(), flags.end());
  auto process = ChildProcess::start(argv, *folder / "dataplane.log");
  if (!process) return process.error();
  // A channel that is refused once waits for a second before it dials again.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!accepts(socket)) {
    if (!process->running() || std::chrono::steady_clock::now() > deadline) {
      return unavailable("penstock-dataplane did not come up:\n" + process->output());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  auto channel = grpc::CreateCustomChannel("unix:" + socket, grpc::InsecureChannelCredentials(), arguments);
  DataplaneProcess dataplane(std::make_unique<Parts>(*folder, std::move(*process), channel));
  if (const auto answered = dataplane.stats(); !answered) return answered.error();
  return dataplane;
}

Result<proto::ApplyConfigResponse> DataplaneProcess::apply(const proto::ApplyConfigRequest& request) {
  grpc::ClientContext context;
  proto::ApplyConfigResponse response;
  const auto status = parts_->stub->ApplyConfig(&context, request, &response);
  return accepted(status, std::move(response));
}

Result<proto::ApplyConfigResponse> DataplaneProcess::update_weights(
    const proto::UpdateWeightsRequest& request) {
  grpc::ClientContext context;
  proto::ApplyConfigResponse response;
  const auto status = parts_->stub->UpdateWeights(&context, request, &response);
  return accepted(status, std::move(response));
}

Result<proto::DataplaneStats> DataplaneProcess::stats() {
  grpc::ClientContext context;
  proto::DataplaneStats response;
  if (const auto status = parts_->stub->GetStats(&context, {}, &response); !status.ok())
    return as_error(status);
  return response;
}

std::uint64_t outcome_packets(const proto::DataplaneStats& stats, const std::string& outcome) {
  for (const auto& count : stats.outcomes()) {
    if (count.outcome() == outcome) return count.packets();
  }
  return 0;
}

std::uint64_t lost_packets(const proto::DataplaneStats& stats) {
  std::uint64_t lost = 0;
  for (const auto& count : stats.outcomes()) lost += count.outcome() == "forwarded" ? 0 : count.packets();
  for (const auto& port : stats.ports()) lost += port.rx_missed() + port.rx_errors() + port.tx_errors();
  return lost;
}

proto::ApplyConfigRequest make_config(std::uint64_t generation, std::size_t services, std::size_t backends,
                                      Hosts hosts) {
  proto::ApplyConfigRequest request;
  proto::DataplaneConfig& config = *request.mutable_config();
  config.set_epoch(1);
  config.set_generation(generation);
  config.set_hash_key(std::string("penstock-benchmark-key-32-bytes!"));
  for (std::size_t s = 0; s < services; ++s) {
    auto* service = config.add_services();
    service->set_id("svc-" + std::to_string(s));
    service->set_vip("203.0.113.10");
    service->set_protocol(proto::TCP);
    service->set_port(static_cast<std::uint32_t>(80 + s));
    service->set_encap(proto::IPIP);
    for (std::size_t b = 0; b < backends; ++b) {
      auto* backend = service->add_backends();
      const std::size_t host = b + (hosts == Hosts::kOwn ? s * backends : 0);
      backend->set_id("be-" + std::to_string(host));
      backend->set_address("10." + std::to_string(1 + host / 62'500) + "." +
                           std::to_string(host / 250 % 250) + "." + std::to_string(1 + host % 250));
      backend->set_weight(100);
    }
  }
  return request;
}

}  // namespace penstock::perf
