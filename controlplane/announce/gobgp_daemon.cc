#include "controlplane/announce/gobgp_daemon.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "attribute.pb.h"
#include "controlplane/announce/link_bandwidth.h"
#include "gobgp.grpc.pb.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;
constexpr auto kCallTime = 2s;
constexpr std::uint32_t kGracefulShutdown = 0xffff0000;  // RFC 8326
constexpr std::uint32_t kAsTrans = 23'456;               // RFC 6793
constexpr std::uint32_t kTransitiveTwoOctetAs = 0x00;
constexpr char kLinkBandwidthSubType = 0x04;

/// All that a path says beside its prefix.
struct PathFacts {
  Announcement announcement;
  std::uint32_t bandwidth_mbps = 0;

  bool operator==(const PathFacts&) const = default;
};

apipb::Family family_of(bool v6) {
  apipb::Family family;
  family.set_afi(v6 ? apipb::Family::AFI_IP6 : apipb::Family::AFI_IP);
  family.set_safi(apipb::Family::SAFI_UNICAST);
  return family;
}

apipb::Path bare_path(const VipPrefix& vip) {
  apipb::Path path;
  *path.mutable_family() = family_of(vip.is_v6());
  apipb::IPAddressPrefix prefix;
  prefix.set_prefix(vip.first.text());
  prefix.set_prefix_len(vip.bits());
  path.mutable_nlri()->PackFrom(prefix);
  apipb::OriginAttribute origin;  // IGP, as the other daemons: a mix of origins is no multipath
  path.add_pattrs()->PackFrom(origin);
  apipb::NextHopAttribute next_hop;  // this host, on each session
  next_hop.set_next_hop(vip.is_v6() ? "::" : "0.0.0.0");
  path.add_pattrs()->PackFrom(next_hop);
  return path;
}

/// LinkBandwidthExtended would be non-transitive, hence the octets.
apipb::ExtendedCommunitiesAttribute link_bandwidth(std::uint32_t mbps, std::uint32_t asn) {
  const std::uint32_t as16 = asn > 0xffff ? kAsTrans : asn;
  const std::uint32_t bits = link_bandwidth_bits(mbps);
  std::string value{kLinkBandwidthSubType, static_cast<char>(as16 >> 8), static_cast<char>(as16)};
  for (int shift = 24; shift >= 0; shift -= 8) value.push_back(static_cast<char>(bits >> shift));
  apipb::UnknownExtended octets;
  octets.set_type(kTransitiveTwoOctetAs);
  octets.set_value(value);
  apipb::ExtendedCommunitiesAttribute out;
  out.add_communities()->PackFrom(octets);
  return out;
}

apipb::Path full_path(const VipPrefix& vip, const PathFacts& facts, std::uint32_t asn) {
  apipb::Path path = bare_path(vip);
  apipb::MultiExitDiscAttribute med;
  med.set_med(route_metric(facts.announcement));
  path.add_pattrs()->PackFrom(med);
  if (facts.announcement.drained) {
    apipb::CommunitiesAttribute communities;
    communities.add_communities(kGracefulShutdown);
    path.add_pattrs()->PackFrom(communities);
  }
  if (facts.bandwidth_mbps != 0) path.add_pattrs()->PackFrom(link_bandwidth(facts.bandwidth_mbps, asn));
  return path;
}

class GobgpDaemon final : public RoutingDaemon {
 public:
  explicit GobgpDaemon(const RoutingOptions& options)
      : target_(options.gobgp),
        api_(apipb::GobgpApi::NewStub(
            grpc::CreateCustomChannel(options.gobgp, grpc::InsecureChannelCredentials(), arguments()))) {}

  Status follow(const RoutingWish& wish) override {
    if (!wish.announced) return Ok{};
    auto asn = local_as();
    if (!asn) return asn.error();
    std::set<VipPrefix> present;
    for (const bool v6 : {false, true}) {
      if (auto status = list(v6, present); !status) return status;
    }
    for (const VipPrefix& vip : present) {
      if (wish.announced->count(vip) != 0) continue;
      if (auto status = remove(vip); !status) return status;
    }
    if (!wish.link) return Ok{};
    for (const auto& [vip, announcement] : *wish.announced) {
      const PathFacts facts{announcement, wish.link->bandwidth_mbps};
      const auto known = sent_.find(vip);
      if (present.count(vip) != 0 && known != sent_.end() && known->second == facts) continue;
      if (auto status = add(vip, facts, *asn); !status) return status;
    }
    return Ok{};
  }

 private:
  static grpc::ChannelArguments arguments() {
    grpc::ChannelArguments out;
    out.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
    out.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 50);
    out.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
    out.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    return out;
  }

  static void limit(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + kCallTime);
  }

  [[nodiscard]] Status answer(const grpc::Status& status, const std::string& what) const {
    if (status.ok()) return Ok{};
    return unavailable("gobgpd at " + target_ + " does not " + what + ": " + status.error_message());
  }

  Result<std::uint32_t> local_as() {
    grpc::ClientContext context;
    limit(context);
    apipb::GetBgpResponse response;
    const auto status = answer(api_->GetBgp(&context, {}, &response), "answer");
    if (!status) return status.error();
    if (response.global().asn() == 0)
      return unavailable("gobgpd at " + target_ + " has no BGP configuration");
    return response.global().asn();
  }

  Status list(bool v6, std::set<VipPrefix>& present) {
    grpc::ClientContext context;
    limit(context);
    apipb::ListPathRequest request;
    request.set_table_type(apipb::GLOBAL);
    *request.mutable_family() = family_of(v6);
    auto reader = api_->ListPath(&context, request);
    for (apipb::ListPathResponse response; reader->Read(&response);) {
      for (const apipb::Path& path : response.destination().paths()) {
        const bool local = !IpAddr::parse(path.neighbor_ip());  // "<nil>"
        auto vip = parse_vip(response.destination().prefix());
        if (local && vip) present.insert(*vip);
      }
    }
    return answer(reader->Finish(), "list its paths");
  }

  Status add(const VipPrefix& vip, const PathFacts& facts, std::uint32_t asn) {
    grpc::ClientContext context;
    limit(context);
    apipb::AddPathRequest request;
    request.set_table_type(apipb::GLOBAL);
    *request.mutable_path() = full_path(vip, facts, asn);
    apipb::AddPathResponse response;
    auto status = answer(api_->AddPath(&context, request, &response), "add a path to " + vip.text());
    if (status) sent_[vip] = facts;
    return status;
  }

  Status remove(const VipPrefix& vip) {
    grpc::ClientContext context;
    limit(context);
    apipb::DeletePathRequest request;
    request.set_table_type(apipb::GLOBAL);
    *request.mutable_family() = family_of(vip.is_v6());
    *request.mutable_path() = bare_path(vip);
    google::protobuf::Empty response;
    sent_.erase(vip);
    return answer(api_->DeletePath(&context, request, &response), "delete its path to " + vip.text());
  }

  std::string target_;
  std::unique_ptr<apipb::GobgpApi::Stub> api_;
  std::map<VipPrefix, PathFacts> sent_;  // by this process; what is not here is sent again
};

}  // namespace

std::unique_ptr<RoutingDaemon> make_gobgp_daemon(const RoutingOptions& options) {
  return std::make_unique<GobgpDaemon>(options);
}

}  // namespace penstock
