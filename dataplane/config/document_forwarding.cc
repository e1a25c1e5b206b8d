#include <algorithm>
#include <cctype>
#include <optional>
#include <ranges>
#include <string_view>

#include "dataplane/config/document_checks.h"
#include "penstock/proto/config.pb.h"

namespace penstock {

namespace {

constexpr std::uint32_t kMaxPort = 65'535;

std::optional<Encap> encap_of(proto::Encap encap) {
  switch (encap) {
    case proto::GUE:
      return Encap::kGue;
    case proto::IPIP:
      return Encap::kIpip;
    case proto::GRE:
      return Encap::kGre;
    case proto::VXLAN:
      return Encap::kVxlan;
    case proto::L2DSR:
      return Encap::kL2dsr;
    case proto::NAT:
      return Encap::kNat;
    default:
      return std::nullopt;
  }
}

class ForwardingCheck {
 public:
  ForwardingCheck(const proto::Service& in, ServiceDocument& out, const std::string& path, Problems& problems)
      : in_(in), out_(out), path_(path), problems_(problems) {}

  void run() {
    const auto encap = encap_of(in_.encap());
    if (!encap) {
      refuse("encap", "must be GUE (1), IPIP (2), GRE (3), VXLAN (4), L2DSR (5) or NAT (6), not " +
                          std::to_string(in_.encap()));
      return;  // everything below depends on it
    }
    out_.encap = *encap;
    check_checksum_and_keys();
    check_too_big();
    check_nat();
    for (int i = 0; i < in_.backends_size(); ++i) {
      const std::string field = indexed("backends", static_cast<std::size_t>(i));
      check_backend(in_.backends(i), out_.backends[static_cast<std::size_t>(i)], field);
    }
  }

 private:
  void refuse(const std::string& field, std::string message) {
    problems_.push_back(invalid(path_ + "." + field, std::move(message)));
  }
  [[nodiscard]] bool is(Encap encap) const { return out_.encap == encap; }

  void check_checksum_and_keys() {
    const proto::Forwarding& in = in_.forwarding();
    ForwardingDocument& out = out_.forwarding;
    if (in.udp_checksum() && !is(Encap::kGue) && !is(Encap::kVxlan)) {
      refuse("forwarding.udp_checksum", "only GUE and VXLAN have an outer UDP header");
    }
    out.udp_checksum = in.udp_checksum();
    if (in.has_gre_key()) {
      if (!is(Encap::kGre)) refuse("forwarding.gre_key", "only GRE has a key");
      out.gre_key = in.gre_key();
    }
    if (is(Encap::kVxlan) && (in.vxlan_vni() == 0 || in.vxlan_vni() > kMaxVxlanVni)) {
      refuse("forwarding.vxlan_vni", "must be 1-" + std::to_string(kMaxVxlanVni) + " with VXLAN, not " +
                                         std::to_string(in.vxlan_vni()));
    } else if (!is(Encap::kVxlan) && in.vxlan_vni() != 0) {
      refuse("forwarding.vxlan_vni", "only VXLAN has a network identifier");
    }
    out.vxlan_vni = in.vxlan_vni();
  }

  void check_too_big() {
    switch (in_.forwarding().too_big()) {
      case proto::TOO_BIG_REPLY:
        return;
      case proto::TOO_BIG_FRAGMENT:
        out_.forwarding.too_big = TooBig::kFragment;
        if (is(Encap::kL2dsr) || is(Encap::kNat)) {
          refuse("forwarding.too_big", "L2DSR and NAT have no outer packet that could be fragmented");
        }
        return;
      default:
        refuse("forwarding.too_big", "must be TOO_BIG_REPLY (0) or TOO_BIG_FRAGMENT (1), not " +
                                         std::to_string(in_.forwarding().too_big()));
    }
  }

  void check_nat() {
    const std::uint8_t protocol = out_.key.protocol;
    if (is(Encap::kNat) && protocol != 0 && protocol != kProtoTcp && protocol != kProtoUdp) {
      refuse("encap", "NAT translates TCP and UDP, not " + out_.key.protocol_text());
    }
    out_.forwarding.proxy_protocol = in_.forwarding().proxy_protocol();
    if (out_.forwarding.proxy_protocol && !(is(Encap::kNat) && protocol == kProtoTcp)) {
      refuse("forwarding.proxy_protocol", "only NAT of TCP can put a PROXY header before the client's data");
    }
  }

  void check_backend(const proto::Backend& in, BackendDocument& out, const std::string& field) {
    if (in.port() > kMaxPort) {
      refuse(field + ".port",
             "must be 1-65535, or 0 for the packet's own port, not " + std::to_string(in.port()));
    } else if (in.port() != 0 && !is(Encap::kNat)) {
      refuse(field + ".port", "only NAT can change the port");
    }
    out.port = static_cast<std::uint16_t>(in.port());
    if (is(Encap::kVxlan)) {
      check_mac(in.mac(), out.mac, field + ".mac");
    } else if (!in.mac().empty()) {
      refuse(field + ".mac", "only VXLAN has an inner Ethernet header");
    }
    const bool known = out.address != IpAddr{} && out_.key.vip != IpAddr{};
    if (is(Encap::kL2dsr) && known && out.address.is_v6() != out_.key.vip.is_v6()) {
      refuse(field + ".address", "L2DSR needs the VIP's family: " + out.address.text() + " is not " +
                                     (out_.key.vip.is_v6() ? "IPv6" : "IPv4"));
    }
  }

  void check_mac(const std::string& text, MacAddr& out, const std::string& field) {
    if (text.empty()) {
      refuse(field, "VXLAN needs the MAC address of the backend's inner interface");
      return;
    }
    const auto mac = MacAddr::parse(text);
    // sscanf(3), which parses, also takes blanks, signs and single digits.
    const bool exact = mac && std::ranges::equal(text, mac->text(), [](char given, char canonical) {
                         return std::tolower(static_cast<unsigned char>(given)) == canonical;
                       });
    if (!exact) {
      refuse(field, "'" + text + "' is not a MAC address (write 02:00:00:00:00:01)");
    } else if (*mac == MacAddr{} || (mac->bytes[0] & 1) != 0) {
      refuse(field, "'" + text + "' is not the unicast address of one interface");
    } else {
      out = *mac;
    }
  }

  const proto::Service& in_;
  ServiceDocument& out_;
  const std::string& path_;
  Problems& problems_;
};

}  // namespace

void check_forwarding(const proto::Service& in, ServiceDocument& out, const std::string& path,
                      Problems& problems) {
  ForwardingCheck(in, out, path, problems).run();
}

}  // namespace penstock
