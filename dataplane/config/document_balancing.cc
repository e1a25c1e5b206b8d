#include <algorithm>
#include <unordered_map>

#include "dataplane/config/document_checks.h"
#include "penstock/proto/config.pb.h"

namespace penstock {

namespace {

class BalancingCheck {
 public:
  BalancingCheck(const proto::Service& in, ServiceDocument& out, const std::string& path, Problems& problems)
      : in_(in), out_(out), path_(path), problems_(problems) {}

  void run() {
    check_affinity("affinity.ipv4_prefix", in_.affinity().ipv4_prefix(), 32, out_.affinity.ipv4_prefix);
    check_affinity("affinity.ipv6_prefix", in_.affinity().ipv6_prefix(), 128, out_.affinity.ipv6_prefix);
    out_.one_shot = in_.one_shot();
    if (in_.one_shot()) check_one_shot();
    if (in_.has_quic()) check_quic();
    check_server_ids();
    check_second_chance();
  }

 private:
  void refuse(const std::string& field, std::string message) {
    problems_.push_back(invalid(path_ + "." + field, std::move(message)));
  }

  // Of a protocol that was refused itself, nothing more is told.
  [[nodiscard]] bool is_other_than_udp() const {
    return out_.key.protocol != 0 && out_.key.protocol != kProtoUdp;
  }

  void check_affinity(const char* field, std::uint32_t bits, std::uint32_t most, std::uint8_t& out) {
    if (bits > most) {
      refuse(field, "must be 1-" + std::to_string(most) + ", or 0 for none, not " + std::to_string(bits));
    } else {
      out = static_cast<std::uint8_t>(bits);
    }
  }

  void check_one_shot() {
    if (is_other_than_udp()) {
      refuse("one_shot", "only UDP datagrams can stand by themselves, not " + out_.key.protocol_text());
    } else if (out_.encap == Encap::kNat) {
      refuse("one_shot", "NAT has to remember every flow for its answers");
    } else if (in_.has_quic()) {
      refuse("one_shot", "a QUIC connection is more than one datagram: leave out quic or one_shot");
    }
  }

  void check_quic() {
    if (is_other_than_udp()) {
      refuse("quic", "QUIC runs over UDP, not " + out_.key.protocol_text());
    } else if (out_.encap == Encap::kNat) {
      refuse("quic", "NAT knows a flow by its addresses, not by its connection ID");
    }
    if (in_.quic().configs().empty()) refuse("quic.configs", "must not be empty");
    for (int i = 0; i < in_.quic().configs_size(); ++i) {
      check_config(in_.quic().configs(i), "quic." + indexed("configs", static_cast<std::size_t>(i)));
    }
  }

  void check_config(const proto::QuicLb::Config& in, const std::string& field) {
    const std::size_t before = problems_.size();
    if (in.rotation() > kMaxQuicRotation) {
      refuse(field + ".rotation", "must be 0-6, not " + std::to_string(in.rotation()));
    }
    if (in.server_id_length() < 1 || in.server_id_length() > kMaxQuicServerIdLength) {
      refuse(field + ".server_id_length",
             "must be 1-15 octets, not " + std::to_string(in.server_id_length()));
    }
    if (in.nonce_length() < kMinQuicNonceLength || in.nonce_length() > kMaxQuicNonceLength) {
      refuse(field + ".nonce_length", "must be 4-18 octets, not " + std::to_string(in.nonce_length()));
    }
    QuicLbDocument out;
    if (in.key().size() == kQuicKeyBytes) {
      std::copy(in.key().begin(), in.key().end(), out.key.emplace().begin());
    } else if (!in.key().empty()) {
      refuse(field + ".key",
             "must be 16 octets, or empty for IDs in the clear, not " + std::to_string(in.key().size()));
    }
    if (problems_.size() != before) return;
    if (in.server_id_length() + in.nonce_length() > kMaxQuicIdAndNonceLength) {
      refuse(field + ".nonce_length", "server ID and nonce have 19 octets together, not " +
                                          std::to_string(in.server_id_length() + in.nonce_length()));
      return;
    }
    out.rotation = static_cast<std::uint8_t>(in.rotation());
    out.server_id_length = static_cast<std::uint8_t>(in.server_id_length());
    out.nonce_length = static_cast<std::uint8_t>(in.nonce_length());
    add_config(out, field);
  }

  void add_config(const QuicLbDocument& config, const std::string& field) {
    const auto same = std::ranges::find(out_.quic, config.rotation, &QuicLbDocument::rotation);
    if (same != out_.quic.end()) {
      refuse(field + ".rotation", std::to_string(config.rotation) + " occurs twice");
    } else if (!out_.quic.empty() && out_.quic.front().server_id_length != config.server_id_length) {
      refuse(field + ".server_id_length", "must be " + std::to_string(out_.quic.front().server_id_length) +
                                              ", as in the first one: a backend has one server ID, not " +
                                              std::to_string(config.server_id_length));
    } else {
      out_.quic.push_back(config);
    }
  }

  void check_second_chance() {
    switch (in_.second_chance()) {
      case proto::SECOND_CHANCE_TCP:
        return;
      case proto::SECOND_CHANCE_OFF:
        out_.second_chance = SecondChance::kOff;
        break;
      case proto::SECOND_CHANCE_TCP_AND_UDP:
        out_.second_chance = SecondChance::kTcpAndUdp;
        break;
      default:
        refuse("second_chance",
               "must be SECOND_CHANCE_TCP (0), SECOND_CHANCE_OFF (1) or SECOND_CHANCE_TCP_AND_UDP (2), not " +
                   std::to_string(in_.second_chance()));
        return;
    }
    if (out_.encap != Encap::kGue) {
      refuse("second_chance", "only GUE can carry hops");
    } else if (out_.second_chance == SecondChance::kTcpAndUdp && is_other_than_udp()) {
      refuse("second_chance",
             "SECOND_CHANCE_TCP_AND_UDP is for services of UDP, not of " + out_.key.protocol_text());
    } else if (out_.second_chance == SecondChance::kTcpAndUdp && in_.one_shot()) {
      refuse("second_chance", "datagrams that stand by themselves (one_shot) belong to no flow");
    }
  }

  void check_server_ids() {
    std::unordered_map<std::string, std::string> owners;
    for (int i = 0; i < in_.backends_size(); ++i) {
      const proto::Backend& backend = in_.backends(i);
      const std::string field = indexed("backends", static_cast<std::size_t>(i)) + ".quic_server_id";
      const std::string& id = backend.quic_server_id();
      if (!in_.has_quic()) {
        if (!id.empty()) refuse(field, "only a service with quic has server IDs");
        continue;
      }
      if (out_.quic.empty()) continue;  // no length to compare with: refused above
      if (id.size() != out_.quic.front().server_id_length) {
        refuse(field, "must be " + std::to_string(out_.quic.front().server_id_length) + " octets, not " +
                          std::to_string(id.size()));
        continue;
      }
      const auto [owner, is_new] = owners.emplace(id, backend.id());
      if (!is_new) refuse(field, "is already the server ID of backend '" + owner->second + "'");
      out_.backends[static_cast<std::size_t>(i)].quic_server_id = id;
    }
  }

  const proto::Service& in_;
  ServiceDocument& out_;
  const std::string& path_;
  Problems& problems_;
};

}  // namespace

void check_balancing(const proto::Service& in, ServiceDocument& out, const std::string& path,
                     Problems& problems) {
  BalancingCheck(in, out, path, problems).run();
}

}  // namespace penstock
