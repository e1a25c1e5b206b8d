#include "dataplane/config/document.h"

#include <set>
#include <unordered_map>
#include <unordered_set>

#include "dataplane/hash/maglev.h"
#include "penstock/proto/config.pb.h"

namespace penstock {

namespace {

std::string indexed(const char* list, int index) {
  return std::string(list) + "[" + std::to_string(index) + "]";
}

class Validator {
 public:
  Validation run(const proto::DataplaneConfig& config) {
    check_header(config);
    for (int i = 0; i < config.services_size(); ++i) {
      out_.document.services.push_back(check_service(config.services(i), indexed("services", i)));
    }
    check_across_services();
    return std::move(out_);
  }

 private:
  void refuse(std::string field, std::string message) {
    out_.problems.push_back(invalid(std::move(field), std::move(message)));
  }

  void check_header(const proto::DataplaneConfig& config) {
    out_.document.epoch = config.epoch();
    out_.document.generation = config.generation();
    if (config.generation() == 0) refuse("generation", "must be greater than 0");
    if (config.hash_key().size() == kHashKeyBytes) {
      std::copy(config.hash_key().begin(), config.hash_key().end(), out_.document.hash_key.begin());
    } else {
      refuse("hash_key", "must be " + std::to_string(kHashKeyBytes) + " bytes, not " +
                             std::to_string(config.hash_key().size()));
    }
    if (static_cast<std::size_t>(config.services_size()) > kMaxServices) {
      refuse("services",
             "at most " + std::to_string(kMaxServices) + ", not " + std::to_string(config.services_size()));
    }
  }

  void check_id(const std::string& id, const std::string& field) {
    if (!is_valid_id(id.data(), id.size())) {
      refuse(field, "'" + id + "' must be 1-63 lower-case letters, digits and inner hyphens");
    }
  }

  // The address of a VIP or a backend; the unspecified one where it is refused.
  IpAddr check_address(const std::string& text, const std::string& field) {
    const auto address = IpAddr::parse(text);
    if (!address) {
      refuse(field, address.error().message);
      return {};
    }
    if (!address->is_unicast()) {
      refuse(field, "'" + text + "' is not a unicast address of a host");
    } else if (is_v4_mapped(*address)) {
      refuse(field, "'" + text + "' is an IPv4-mapped address: write it as IPv4");
    }
    return *address;
  }

  static bool is_v4_mapped(const IpAddr& a) {
    static constexpr std::uint8_t kPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return a.is_v6() && std::memcmp(a.data(), kPrefix, sizeof kPrefix) == 0;
  }

  ServiceDocument check_service(const proto::Service& in, const std::string& path) {
    ServiceDocument out;
    out.id = in.id();
    check_id(in.id(), path + ".id");
    out.key.vip = check_address(in.vip(), path + ".vip");
    if (in.protocol() == proto::TCP || in.protocol() == proto::UDP) {
      out.key.protocol = static_cast<std::uint8_t>(in.protocol());
    } else {
      refuse(path + ".protocol", "must be TCP (6) or UDP (17), not " + std::to_string(in.protocol()));
    }
    if (in.port() >= 1 && in.port() <= 65535) {
      out.key.port = static_cast<std::uint16_t>(in.port());
    } else {
      refuse(path + ".port", "must be 1-65535, not " + std::to_string(in.port()));
    }
    if (in.encap() == proto::GUE || in.encap() == proto::IPIP) {
      out.encap = in.encap() == proto::GUE ? Encap::kGue : Encap::kIpip;
    } else {
      refuse(path + ".encap", "must be GUE (1) or IPIP (2), not " + std::to_string(in.encap()));
    }
    check_backends(in, out, path);
    check_table_size(in, out, path);
    check_timeouts(in.idle_timeouts(), out.idle, path + ".idle_timeouts");
    return out;
  }

  void check_backends(const proto::Service& in, ServiceDocument& out, const std::string& path) {
    if (in.backends().empty()) refuse(path + ".backends", "must not be empty");
    if (static_cast<std::size_t>(in.backends_size()) > kMaxBackendsPerService) {
      refuse(path + ".backends", "at most " + std::to_string(kMaxBackendsPerService) + ", not " +
                                     std::to_string(in.backends_size()));
    }
    std::unordered_set<std::string> ids;
    std::unordered_map<IpAddr, std::string> addresses;
    for (int i = 0; i < in.backends_size(); ++i) {
      const proto::Backend& backend = in.backends(i);
      const std::string field = path + "." + indexed("backends", i);
      check_id(backend.id(), field + ".id");
      if (!ids.insert(backend.id()).second) {
        refuse(field + ".id", "'" + backend.id() + "' occurs twice in this service");
      }
      const IpAddr address = check_address(backend.address(), field + ".address");
      const auto [other, is_new] = addresses.emplace(address, backend.id());
      if (!is_new && address != IpAddr{}) {
        refuse(field + ".address",
               address.text() + " is already the address of backend '" + other->second + "'");
      }
      if (backend.weight() > kMaxWeight) {
        refuse(field + ".weight",
               "must be 0-" + std::to_string(kMaxWeight) + ", not " + std::to_string(backend.weight()));
      }
      BackendDocument document;
      document.id = backend.id();
      document.address = address;
      document.weight = backend.weight();
      document.drain = backend.drain();
      out.backends.push_back(std::move(document));
    }
  }

  void check_table_size(const proto::Service& in, ServiceDocument& out, const std::string& path) {
    out.table_size = in.table_size() != 0 ? in.table_size() : choose_table_size(out.backends.size());
    const std::string field = path + ".table_size";
    if (out.table_size > kMaxTableSize) {
      refuse(field, "at most " + std::to_string(kMaxTableSize) + ", not " + std::to_string(out.table_size));
    } else if (!is_prime(out.table_size)) {
      refuse(field, std::to_string(out.table_size) + " is not a prime");
    } else if (out.table_size < out.backends.size()) {
      refuse(field, std::to_string(out.table_size) + " slots are too few for " +
                        std::to_string(out.backends.size()) + " backends");
    }
  }

  void check_timeouts(const proto::IdleTimeouts& in, IdleTimeoutSeconds& out, const std::string& path) {
    const auto take = [&](std::uint32_t seconds, std::uint32_t& target, const char* name) {
      if (seconds > kMaxIdleTimeoutSeconds) {
        refuse(path + "." + name, "must be 0 (the default) or 1-" + std::to_string(kMaxIdleTimeoutSeconds) +
                                      " seconds, not " + std::to_string(seconds));
      } else if (seconds != 0) {
        target = seconds;
      }
    };
    take(in.tcp_syn_seconds(), out.tcp_syn, "tcp_syn_seconds");
    take(in.tcp_established_seconds(), out.tcp_established, "tcp_established_seconds");
    take(in.tcp_closing_seconds(), out.tcp_closing, "tcp_closing_seconds");
    take(in.udp_seconds(), out.udp, "udp_seconds");
  }

  void check_across_services() {
    std::unordered_set<std::string> ids;
    std::unordered_map<VipKey, std::string> keys;
    std::unordered_map<IpAddr, std::string> vips;
    const auto& services = out_.document.services;
    for (std::size_t i = 0; i < services.size(); ++i) {
      const ServiceDocument& service = services[i];
      const std::string path = indexed("services", static_cast<int>(i));
      if (!ids.insert(service.id).second) refuse(path + ".id", "'" + service.id + "' occurs twice");
      if (service.key.vip == IpAddr{} || service.key.port == 0 || service.key.protocol == 0) continue;
      const auto [owner, is_new] = keys.emplace(service.key, service.id);
      if (!is_new)
        refuse(path + ".vip", service.key.text() + " already belongs to service '" + owner->second + "'");
      vips.emplace(service.key.vip, service.id);
    }
    for (std::size_t i = 0; i < services.size(); ++i) {
      for (std::size_t j = 0; j < services[i].backends.size(); ++j) {
        const auto vip = vips.find(services[i].backends[j].address);
        if (vip == vips.end()) continue;
        refuse(indexed("services", static_cast<int>(i)) + "." + indexed("backends", static_cast<int>(j)) +
                   ".address",
               vip->first.text() + " is the VIP of service '" + vip->second +
                   "': a backend needs an address of its own");
      }
    }
  }

  Validation out_;
};

}  // namespace

Validation validate(const proto::DataplaneConfig& config) { return Validator().run(config); }

}  // namespace penstock
