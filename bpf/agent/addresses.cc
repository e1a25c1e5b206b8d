#include "bpf/agent/addresses.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>
#include <utility>

#include "bpf/agent/file_descriptor.h"

namespace penstock {
namespace {

constexpr const char* kOurLabel = "lo:penstock";
constexpr std::uint32_t kForever = 0xffffffff;

struct Message {
  explicit Message(nl_msg* m) : raw(m) {}
  ~Message() { nlmsg_free(raw); }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  nl_msg* raw;
};

}  // namespace

Result<Addresses> Addresses::open() {
  auto netlink = LoopbackNetlink::open();
  if (!netlink) return netlink.error();
  Addresses self;
  self.netlink_ = std::move(*netlink);
  return self;
}

Result<std::vector<Addresses::Entry>> Addresses::list(unsigned ifindex) {
  struct Walk {
    unsigned ifindex;
    std::vector<Entry> entries;
  } walk{ifindex, {}};
  ifaddrmsg request{};
  if (const int rc = nl_send_simple(netlink_.socket.get(), RTM_GETADDR, NLM_F_DUMP, &request, sizeof request);
      rc < 0) {
    return unavailable(std::string("cannot ask for addresses: ") + nl_geterror(rc));
  }
  const auto on_message = [](nl_msg* message, void* argument) -> int {
    auto& w = *static_cast<Walk*>(argument);
    nlmsghdr* header = nlmsg_hdr(message);
    nlattr* attributes[IFA_MAX + 1];
    if (header->nlmsg_type != RTM_NEWADDR ||
        nlmsg_parse(header, sizeof(ifaddrmsg), attributes, IFA_MAX, nullptr) < 0) {
      return NL_OK;
    }
    const auto* ifa = static_cast<const ifaddrmsg*>(nlmsg_data(header));
    const nlattr* address =
        attributes[IFA_LOCAL] != nullptr ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
    if (ifa->ifa_index != w.ifindex || address == nullptr) return NL_OK;
    if (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6) return NL_OK;
    Entry entry;
    entry.address = address_of(ifa->ifa_family, address);
    entry.prefix = ifa->ifa_prefixlen;
    entry.ours = attributes[IFA_PROTO] != nullptr && nla_get_u8(attributes[IFA_PROTO]) == kOurNetlinkProtocol;
    entry.global = ifa->ifa_scope == RT_SCOPE_UNIVERSE || ifa->ifa_scope == RT_SCOPE_SITE;
    w.entries.push_back(entry);
    return NL_OK;
  };
  nl_socket_modify_cb(netlink_.socket.get(), NL_CB_VALID, NL_CB_CUSTOM, on_message, &walk);
  if (const int rc = nl_recvmsgs_default(netlink_.socket.get()); rc < 0) {
    return unavailable(std::string("cannot read addresses: ") + nl_geterror(rc));
  }
  return std::move(walk.entries);
}

Result<std::set<IpAddr>> Addresses::of_interface(const std::string& name) {
  const unsigned ifindex = if_nametoindex(name.c_str());
  if (ifindex == 0) return unavailable(name + ": the interface is gone");
  auto entries = list(ifindex);
  if (!entries) return entries.error();
  std::set<IpAddr> out;
  for (const Entry& entry : *entries) {
    if (entry.global && !entry.ours && entry.address.is_unicast()) out.insert(entry.address);
  }
  return out;
}

Status Addresses::change(int message_type, const IpAddr& vip) {
  const bool add = message_type == RTM_NEWADDR;
  const Message message(nlmsg_alloc_simple(message_type, add ? NLM_F_CREATE | NLM_F_EXCL : 0));
  if (message.raw == nullptr) return internal_error("out of memory for a netlink message");
  ifaddrmsg ifa{};
  ifa.ifa_family = vip.is_v4() ? AF_INET : AF_INET6;
  ifa.ifa_prefixlen = vip.is_v4() ? 32 : 128;
  ifa.ifa_index = netlink_.index;
  ifa.ifa_scope = vip.is_v4() ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
  ifa_cacheinfo lifetime{};
  lifetime.ifa_valid = kForever;
  lifetime.ifa_prefered = vip.is_v4() ? kForever : 0;
  bool fits = nlmsg_append(message.raw, &ifa, sizeof ifa, NLMSG_ALIGNTO) == 0 &&
              nla_put(message.raw, IFA_LOCAL, static_cast<int>(vip.size()), vip.data()) == 0 &&
              nla_put(message.raw, IFA_ADDRESS, static_cast<int>(vip.size()), vip.data()) == 0;
  if (add) {
    fits = fits && nla_put_u8(message.raw, IFA_PROTO, kOurNetlinkProtocol) == 0 &&
           nla_put_u32(message.raw, IFA_FLAGS, IFA_F_NODAD) == 0 &&
           nla_put(message.raw, IFA_CACHEINFO, sizeof lifetime, &lifetime) == 0;
    if (vip.is_v4()) fits = fits && nla_put_string(message.raw, IFA_LABEL, kOurLabel) == 0;
  }
  if (!fits) return internal_error("a netlink message does not hold one address");
  int rc = nl_send_auto(netlink_.socket.get(), message.raw);
  if (rc >= 0) rc = nl_wait_for_ack(netlink_.socket.get());
  if (rc >= 0) return Ok{};
  return unavailable(vip.text() + " cannot be " + (add ? "added to" : "removed from") +
                     " lo: " + nl_geterror(rc));
}

std::vector<std::string> Addresses::set_vips(const std::set<IpAddr>& vips) {
  auto entries = list(netlink_.index);
  if (!entries) return {entries.error().text()};
  std::vector<std::string> problems;
  const auto attempt = [&](int message_type, const IpAddr& vip) {
    if (auto done = change(message_type, vip); !done) problems.push_back(done.error().text());
  };
  std::set<IpAddr> present;
  for (const Entry& entry : *entries) {
    present.insert(entry.address);
    if (entry.ours && !vips.contains(entry.address)) attempt(RTM_DELADDR, entry.address);
  }
  for (const IpAddr& vip : vips) {
    if (!present.contains(vip)) attempt(RTM_NEWADDR, vip);
  }
  return problems;
}

bool Addresses::loopback_is_up() const {
  const FileDescriptor any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  return any.valid() && ioctl(any.get(), SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) != 0;
}

}  // namespace penstock
