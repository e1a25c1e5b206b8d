// How this process dials the dataplane's unix socket. Only the files that speak gRPC include this.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "penstock/process/tls.h"

namespace penstock {

/// A connection of its own, not shared with other channels of the process: a large configuration under way
/// must not stand in front of a beat. Dials again every 50-200 ms.
inline std::shared_ptr<grpc::Channel> dataplane_channel(const std::string& socket_path) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  return grpc::CreateCustomChannel("unix:" + socket_path, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace penstock
