#include "dataplane/config/document.h"

#include <unordered_map>
#include <unordered_set>

#include "dataplane/config/document_checks.h"
#include "dataplane/hash/maglev.h"
#include "penstock/proto/config.pb.h"

namespace penstock {

namespace {

class Validator {
 public:
  Validation run(const proto::DataplaneConfig& config) {
    check_header(config);
    for (int i = 0; i < config.services_size(); ++i) {
      out_.document.services.push_back(
          check_service(config.services(i), indexed("services", static_cast<std::size_t>(i))));
    }
    check_across_services(out_.document.services, out_.problems);
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

  // The address of a backend; the unspecified one where it is refused.
  IpAddr check_address(const std::string& text, const std::string& field) {
    const auto address = IpAddr::parse(text);
    if (!address) {
      refuse(field, address.error().message);
      return {};
    }
    if (std::string why = refusal_of(*address, text); !why.empty()) {
      refuse(field, std::move(why));
      return {};
    }
    return *address;
  }

  ServiceDocument check_service(const proto::Service& in, const std::string& path) {
    ServiceDocument out;
    out.id = in.id();
    check_id(in.id(), path + ".id");
    check_key(in, out.key, path, out_.problems);
    check_backends(in, out, path);
    check_forwarding(in, out, path, out_.problems);
    check_balancing(in, out, path, out_.problems);
    check_health(in, out, path, out_.problems);
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
      const std::string field = path + "." + indexed("backends", static_cast<std::size_t>(i));
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
      document.maintenance = backend.maintenance();
      document.reset_after_unix_seconds = backend.reset_after_unix_seconds();
      if (document.reset_after_unix_seconds != 0 && !document.drain) {
        refuse(field + ".reset_after_unix_seconds",
               "only a drained backend's flows are reset: set drain, too");
      }
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

  Validation out_;
};

}  // namespace

Validation validate(const proto::DataplaneConfig& config) { return Validator().run(config); }

}  // namespace penstock
