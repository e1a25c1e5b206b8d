// Messages as the bytes that a PeerStream sends.
#pragma once

#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/byte_buffer.h>
#include <spdlog/spdlog.h>

namespace penstock {

/// Empty, and logged, when protobuf cannot: a message beyond 2 GiB.
template <class Message>
[[nodiscard]] grpc::ByteBuffer serialise(const Message& message) {
  grpc::ByteBuffer bytes;
  bool owned = false;
  const grpc::Status status = grpc::SerializationTraits<Message>::Serialize(message, &bytes, &owned);
  if (!status.ok()) spdlog::error("cannot serialise {}: {}", message.GetTypeName(), status.error_message());
  return bytes;
}

}  // namespace penstock
