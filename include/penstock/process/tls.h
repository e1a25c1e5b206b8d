// Mutual TLS for the gRPC streams between hosts. Both sides prove themselves with a certificate of one CA.
// The client expects the server to be named `penstock-controlplane`, whatever address it was dialled at.
#pragma once

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "penstock/base/result.h"

namespace penstock {

/// A whole configuration or its statistics at full size (100,000 backends) passes gRPC's default limit of 4 MiB.
/// Both ends of every stream receive up to this much.
inline constexpr int kMaxMessageBytes = 64 << 20;

inline constexpr const char* kControlPlaneTlsName = "penstock-controlplane";

/// PEM files. All three or none.
struct TlsFiles {
  std::string certificate;
  std::string key;
  std::string ca;

  void add_to(CLI::App& app) {
    app.add_option("--tls-cert", certificate, "Own certificate (PEM)");
    app.add_option("--tls-key", key, "Private key of the certificate (PEM)");
    app.add_option("--tls-ca", ca, "CA that signed the peers' certificates (PEM)");
  }
  [[nodiscard]] bool enabled() const { return !certificate.empty() || !key.empty() || !ca.empty(); }
};

struct TlsPem {
  std::string certificate, key, ca;
};

inline Result<std::string> read_pem(const std::string& flag, const std::string& path) {
  if (path.empty()) return invalid(flag, "missing; --tls-cert, --tls-key and --tls-ca go together");
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file || text.find("-----BEGIN") == std::string::npos) {
    return invalid(flag, "'" + path + "' cannot be read or is not a PEM file");
  }
  return text;
}

inline Result<TlsPem> load_pem(const TlsFiles& files) {
  TlsPem pem;
  auto certificate = read_pem("--tls-cert", files.certificate);
  if (!certificate) return certificate.error();
  auto key = read_pem("--tls-key", files.key);
  if (!key) return key.error();
  auto ca = read_pem("--tls-ca", files.ca);
  if (!ca) return ca.error();
  return TlsPem{*certificate, *key, *ca};
}

/// "HOST:PORT" names this machine's loopback or a unix socket, where plain text is acceptable.
inline bool is_local_target(const std::string& target) {
  return target.starts_with("unix:") || target.starts_with("127.") || target.starts_with("localhost:") ||
         target.starts_with("[::1]:");
}

/// Credentials for dialling `target`. Without TLS files only a local target is allowed.
inline Result<std::shared_ptr<grpc::ChannelCredentials>> client_credentials(const std::string& target,
                                                                            const TlsFiles& files) {
  if (!files.enabled()) {
    if (is_local_target(target)) return grpc::InsecureChannelCredentials();
    return invalid(
        "--controlplane",
        "'" + target + "' is not on this host: give --tls-cert, --tls-key and --tls-ca to reach it");
  }
  auto pem = load_pem(files);
  if (!pem) return pem.error();
  grpc::SslCredentialsOptions options;
  options.pem_cert_chain = pem->certificate;
  options.pem_private_key = pem->key;
  options.pem_root_certs = pem->ca;
  return grpc::SslCredentials(options);
}

/// Credentials for listening on `address`. A client certificate of our CA is demanded.
inline Result<std::shared_ptr<grpc::ServerCredentials>> server_credentials(const std::string& address,
                                                                           const TlsFiles& files) {
  if (!files.enabled()) {
    if (is_local_target(address)) return grpc::InsecureServerCredentials();
    return invalid(
        "--grpc", "'" + address + "' is reachable from other hosts: give --tls-cert, --tls-key and --tls-ca");
  }
  auto pem = load_pem(files);
  if (!pem) return pem.error();
  grpc::SslServerCredentialsOptions options(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = pem->ca;
  options.pem_key_cert_pairs.push_back({pem->key, pem->certificate});
  return grpc::SslServerCredentials(options);
}

/// A channel with keepalive, so that a silently dead peer is noticed within seconds.
inline std::shared_ptr<grpc::Channel> open_channel(
    const std::string& target, const std::shared_ptr<grpc::ChannelCredentials>& credentials, bool tls) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 5'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 3'000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  if (tls) arguments.SetSslTargetNameOverride(kControlPlaneTlsName);
  return grpc::CreateCustomChannel(target, credentials, arguments);
}

}  // namespace penstock
