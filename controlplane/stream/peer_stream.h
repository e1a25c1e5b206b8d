// One stream of one peer, whatever it speaks: reads message after message, and sends directives of which only
// the latest matters. One directive is on its way and at most one waits, so a peer that reads slowly costs
// one directive of memory and delays nobody.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace penstock {

/// Made by make_shared, started by open(), and kept alive by itself until gRPC is done with it. Messages are
/// raw bytes, so that a directive for many peers is serialised once and its bytes are shared.
class PeerStream : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                   public std::enable_shared_from_this<PeerStream> {
 public:
  explicit PeerStream(grpc::CallbackServerContext& context) : context_(context) {}

  void open();

  /// Sends `latest` as soon as the stream is free, instead of any other that still waits. Any thread, never
  /// blocks.
  void offer(grpc::ByteBuffer latest);

  /// Whether a directive still waits that the next offer would replace. May be outdated at once the one way:
  /// what waits may have gone out.
  [[nodiscard]] bool waiting();

  /// Ends the stream; the first status counts. A write that does not finish is cancelled, and the peer then
  /// sees CANCELLED instead of the status. Any thread, never blocks.
  void end(const grpc::Status& status);

 protected:
  /// One message. A status other than OK ends the stream and is what the peer is told. Called one at a time.
  virtual grpc::Status received(const grpc::ByteBuffer& message) = 0;
  /// Over TLS, whether the peer's certificate names it: the DNS name ID.KIND.penstock, so that a stolen node
  /// certificate opens no gateway session. Without TLS the peer is on this host and is believed.
  [[nodiscard]] grpc::Status check_certificate(const std::string& kind, const std::string& id) const;
  /// The stream is over. Called once, last.
  virtual void gone() = 0;

 private:
  /// Keeps gRPC from being done while a call into it is made without the lock. A stream that is ending gives
  /// none.
  class Hold {
   public:
    explicit Hold(PeerStream& stream);
    ~Hold();
    explicit operator bool() const { return held_; }

   private:
    PeerStream& stream_;
    bool held_;
  };

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  void write(grpc::ByteBuffer message, std::unique_lock<std::mutex> lock);
  void finish_if_due(std::unique_lock<std::mutex> lock);

  grpc::CallbackServerContext& context_;
  std::shared_ptr<PeerStream> self_;  // until OnDone
  grpc::ByteBuffer incoming_;

  std::mutex mutex_;  // guards the following; never held while gRPC is called
  grpc::ByteBuffer outgoing_;
  std::optional<grpc::ByteBuffer> waiting_;
  std::optional<grpc::Status> ending_;
  int holds_ = 0;
  bool writing_ = false;
  bool cancelled_ = false;
  bool finished_ = false;
};

}  // namespace penstock
