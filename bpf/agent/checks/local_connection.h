// A socket to an address of this host, from the same address. It cannot reach another host: binding fails
// where the address is not on this one, and what left through a route nevertheless dies at its first hop.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/system/error_code.hpp>
#include <string>

#include "bpf/agent/checks/check_spec.h"

namespace penstock {

/// Opens and binds `socket` and says where to connect it. Linux: IP_BIND_ADDRESS_NO_PORT, so that as many
/// connections fit as there are pairs of ports.
template <class Protocol>
typename Protocol::endpoint open_local(boost::asio::basic_socket<Protocol>& socket, const CheckSpec& spec,
                                       boost::system::error_code& error);

extern template boost::asio::ip::tcp::endpoint open_local(
    boost::asio::basic_socket<boost::asio::ip::tcp>& socket, const CheckSpec& spec,
    boost::system::error_code& error);
extern template boost::asio::ip::udp::endpoint open_local(
    boost::asio::basic_socket<boost::asio::ip::udp>& socket, const CheckSpec& spec,
    boost::system::error_code& error);

/// Whether a connected socket has found itself: its own port was the one asked for (TCP's simultaneous open),
/// so nobody listens there.
template <class Socket>
bool is_connected_to_itself(const Socket& socket) {
  boost::system::error_code ignored;
  return socket.local_endpoint(ignored) == socket.remote_endpoint(ignored);
}

/// "connection refused", "203.0.113.10 is not an address of this host", else the system's words.
std::string connection_problem(const boost::system::error_code& error, const CheckSpec& spec);

}  // namespace penstock
