#include "bpf/agent/checks/local_connection.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <boost/asio/detail/socket_option.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <cctype>
#include <type_traits>

#include "penstock/abi/telemetry.h"

namespace penstock {
namespace {

namespace asio = boost::asio;

constexpr int kIpv6FreeBind = 78;  // IPV6_FREEBIND, which glibc's headers do not have everywhere

asio::ip::address asio_address(const IpAddr& address) {
  if (address.is_v4()) return asio::ip::address_v4(address.v4().bytes);
  return asio::ip::address_v6(address.v6().bytes);
}

template <int Level, int Name>
using Option = asio::detail::socket_option::integer<Level, Name>;

}  // namespace

template <class Protocol>
typename Protocol::endpoint open_local(asio::basic_socket<Protocol>& socket, const CheckSpec& spec,
                                       boost::system::error_code& error) {
  const auto address = asio_address(spec.address);
  socket.open(address.is_v4() ? Protocol::v4() : Protocol::v6(), error);
  // Asio opens without it, and scripts are started beside.
  if (!error) fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
  if (!error) socket.set_option(Option<IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT>(1), error);
  if (!error && address.is_v4()) socket.set_option(Option<IPPROTO_IP, IP_TTL>(1), error);
  if (!error && address.is_v6()) socket.set_option(Option<IPPROTO_IPV6, IPV6_UNICAST_HOPS>(1), error);
  if constexpr (std::is_same_v<Protocol, asio::ip::tcp>) {
    if (!error) socket.set_option(Option<IPPROTO_TCP, TCP_MAXSEG>(PENSTOCK_CHECK_MSS), error);
  }
  // IPv6 does not take an address of a local route for an address of this host.
  if (!error && address.is_v6() && spec.prefix) {
    socket.set_option(Option<IPPROTO_IPV6, kIpv6FreeBind>(1), error);
  }
  if (!error) socket.bind({address, 0}, error);
  return {address, spec.port};
}

template asio::ip::tcp::endpoint open_local(asio::basic_socket<asio::ip::tcp>&, const CheckSpec&,
                                            boost::system::error_code&);
template asio::ip::udp::endpoint open_local(asio::basic_socket<asio::ip::udp>&, const CheckSpec&,
                                            boost::system::error_code&);

std::string connection_problem(const boost::system::error_code& error, const CheckSpec& spec) {
  if (error == boost::system::errc::address_not_available) {
    return spec.address.text() + " is not an address of this host";
  }
  std::string text = error.message();
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

}  // namespace penstock
