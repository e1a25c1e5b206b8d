#include "controlplane/stream/peer_stream.h"

#include <utility>

namespace penstock {

PeerStream::Hold::Hold(PeerStream& stream) : stream_(stream) {
  const std::lock_guard lock(stream_.mutex_);
  held_ = !stream_.ending_;
  if (held_) ++stream_.holds_;
}

PeerStream::Hold::~Hold() {
  if (!held_) return;
  std::unique_lock lock(stream_.mutex_);
  --stream_.holds_;
  stream_.finish_if_due(std::move(lock));
}

void PeerStream::open() {
  self_ = shared_from_this();
  if (const Hold hold(*this); hold) StartRead(&incoming_);
}

void PeerStream::OnReadDone(bool ok) {
  if (!ok) return end(grpc::Status::OK);
  grpc::Status status;
  if (const Hold hold(*this); hold) status = received(incoming_);
  if (!status.ok()) return end(status);
  incoming_.Clear();
  if (const Hold hold(*this); hold) StartRead(&incoming_);
}

grpc::Status PeerStream::check_certificate(const std::string& kind, const std::string& id) const {
  const auto peer = context_.auth_context();
  if (!peer || !peer->IsPeerAuthenticated()) return grpc::Status::OK;
  const std::string wanted = id + "." + kind + ".penstock";
  for (const grpc::string_ref& name : peer->FindPropertyValues("x509_subject_alternative_name")) {
    if (name == wanted) return grpc::Status::OK;
  }
  return {grpc::StatusCode::PERMISSION_DENIED,
          kind + ": the certificate is not for '" + id + "'; issue one with the DNS name " + wanted};
}

void PeerStream::offer(grpc::ByteBuffer latest) {
  std::unique_lock lock(mutex_);
  if (ending_) return;
  if (writing_) {
    waiting_ = std::move(latest);
    return;
  }
  write(std::move(latest), std::move(lock));
}

bool PeerStream::waiting() {
  const std::lock_guard lock(mutex_);
  return waiting_.has_value();
}

// finish_if_due() waits for the write, so the call into gRPC needs no hold.
void PeerStream::write(grpc::ByteBuffer message, std::unique_lock<std::mutex> lock) {
  writing_ = true;
  outgoing_ = std::move(message);
  lock.unlock();
  StartWrite(&outgoing_);
}

void PeerStream::OnWriteDone(bool ok) {
  std::unique_lock lock(mutex_);
  writing_ = false;
  outgoing_.Clear();
  if (!ok && !ending_) ending_ = grpc::Status(grpc::StatusCode::UNAVAILABLE, "the peer is gone");
  if (!ending_ && waiting_) {
    grpc::ByteBuffer next = std::move(*waiting_);
    waiting_.reset();
    return write(std::move(next), std::move(lock));
  }
  finish_if_due(std::move(lock));
}

void PeerStream::end(const grpc::Status& status) {
  std::unique_lock lock(mutex_);
  if (!ending_) ending_ = status;
  if (writing_ && !cancelled_) {
    cancelled_ = true;
    ++holds_;
    lock.unlock();
    context_.TryCancel();
    lock.lock();
    --holds_;
  }
  finish_if_due(std::move(lock));
}

void PeerStream::finish_if_due(std::unique_lock<std::mutex> lock) {
  if (!ending_ || finished_ || writing_ || holds_ != 0) return;
  finished_ = true;
  const grpc::Status status = *ending_;
  lock.unlock();
  Finish(status);
}

void PeerStream::OnCancel() { end(grpc::Status::CANCELLED); }

void PeerStream::OnDone() {
  // gRPC orders this after all else, but ThreadSanitizer does not see into gRPC; a lock it does see.
  { const std::lock_guard lock(mutex_); }
  gone();
  const std::shared_ptr<PeerStream> last = std::move(self_);
}

}  // namespace penstock
