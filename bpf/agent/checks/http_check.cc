// One request over HTTP or HTTPS. Passed when status and headers are those expected and the body, of which
// 64 KiB are looked at, contains the text. Nothing is read that does not decide.
#include <algorithm>
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <limits>
#include <string_view>
#include <type_traits>
#include <utility>

#include "bpf/agent/checks/check_run.h"
#include "bpf/agent/checks/local_connection.h"

namespace penstock {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace ssl = boost::asio::ssl;
using boost::system::error_code;

/// Trust in the host's authorities is read once, on first use: a file of them takes a while.
class CheckTls {
 public:
  CheckTls() : any(ssl::context::tls_client), verified(ssl::context::tls_client) {
    any.set_verify_mode(ssl::verify_none);
    verified.set_verify_mode(ssl::verify_peer);
    verified.set_default_verify_paths();
  }
  ssl::context any;
  ssl::context verified;
};

std::shared_ptr<CheckTls> make_check_tls() { return std::make_shared<CheckTls>(); }

namespace {

constexpr std::size_t kMaxBody = 64 << 10;
constexpr std::uint32_t kMaxHeader = 16 << 10;
constexpr std::size_t kMaxBuffer = 20 << 10;

using Plain = asio::ip::tcp::socket;
using Secure = ssl::stream<Plain>;

std::string literal(const CheckSpec& spec) {
  return spec.address.is_v6() ? "[" + spec.address.text() + "]" : spec.address.text();
}

std::string host_header(const CheckSpec& spec) {
  if (!spec.host.empty()) return spec.host;
  const std::uint16_t usual = spec.kind == CheckKind::kHttps ? 443 : 80;
  return spec.port == usual ? literal(spec) : literal(spec) + ":" + std::to_string(spec.port);
}

/// The host without port and brackets: what a certificate is made out to.
std::string certificate_name(const CheckSpec& spec) {
  if (spec.host.empty()) return spec.address.text();
  if (spec.host.front() == '[') return spec.host.substr(1, spec.host.find(']') - 1);
  const auto colon = spec.host.find(':');
  // More than one: an IPv6 address without brackets.
  return colon == spec.host.rfind(':') ? spec.host.substr(0, colon) : spec.host;
}

template <class Stream>
class HttpCheck : public CheckRun, public std::enable_shared_from_this<HttpCheck<Stream>> {
  static constexpr bool kSecure = std::is_same_v<Stream, Secure>;

 public:
  /// `more`: the context of TLS.
  template <class... More>
  HttpCheck(asio::io_context& io, const CheckSpec& spec, CheckDone done, More&... more)
      : stream_(io, more...), spec_(spec), done_(std::move(done)) {}

  void start(std::shared_ptr<CheckTls> tls) {
    tls_ = std::move(tls);
    error_code error;
    const auto to = open_local(socket(), spec_, error);
    if (error) {
      asio::post(socket().get_executor(), [self = this->shared_from_this(), error] { self->fail(error); });
      return;
    }
    socket().async_connect(to, [self = this->shared_from_this()](error_code ec) { self->connected(ec); });
  }

  void cancel() override {
    error_code ignored;
    socket().close(ignored);
  }

 private:
  Plain& socket() {
    if constexpr (kSecure) {
      return stream_.next_layer();
    } else {
      return stream_;
    }
  }

  void connected(error_code error) {
    if (!error && is_connected_to_itself(socket())) error = asio::error::connection_refused;
    if (error) return fail(error);
    if constexpr (kSecure) {
      if (!expect_name()) return finish({false, "'" + certificate_name(spec_) + "' cannot be asked for"});
      stream_.async_handshake(ssl::stream_base::client, [self = this->shared_from_this()](error_code ec) {
        if (ec) return self->finish({false, self->handshake_problem(ec)});
        self->ask();
      });
    } else {
      ask();
    }
  }

  bool expect_name() {
    if constexpr (kSecure) {
      const std::string name = certificate_name(spec_);
      SSL* const handle = stream_.native_handle();
      if (IpAddr::parse(name).ok()) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(handle), name.c_str()) == 1;
      }
      return SSL_set_tlsext_host_name(handle, name.c_str()) == 1 && SSL_set1_host(handle, name.c_str()) == 1;
    }
    return true;
  }

  std::string handshake_problem(const error_code& error) {
    if constexpr (kSecure) {
      const long verdict = SSL_get_verify_result(stream_.native_handle());
      if (spec_.verify_tls && verdict != X509_V_OK) {
        return std::string("certificate: ") + X509_verify_cert_error_string(verdict);
      }
    }
    return "TLS: " + error.message();
  }

  void ask() {
    request_.method_string(spec_.method);
    request_.target(spec_.path);
    request_.version(11);
    request_.set(http::field::host, host_header(spec_));
    request_.set(http::field::user_agent, "penstock-node");
    request_.set(http::field::accept, "*/*");
    request_.set(http::field::connection, "close");
    http::async_write(stream_, request_, [self = this->shared_from_this()](error_code ec, std::size_t) {
      if (ec) return self->fail(ec);
      self->read_header();
    });
  }

  void read_header() {
    parser_.header_limit(kMaxHeader);
    // How much is read is decided here; Beast 1.74 takes "no limit" for a limit of nothing.
    parser_.body_limit(std::numeric_limits<std::uint64_t>::max());
    parser_.skip(spec_.method == "HEAD");
    http::async_read_header(stream_, buffer_, parser_,
                            [self = this->shared_from_this()](error_code ec, std::size_t) {
                              if (ec) return self->fail(ec);
                              self->judge_header();
                            });
  }

  void judge_header() {
    const auto& response = parser_.get();
    const unsigned status = response.result_int();
    const auto fits = [&](const StatusRange& r) { return status >= r.first && status <= r.last; };
    if (std::none_of(spec_.statuses.begin(), spec_.statuses.end(), fits)) {
      return finish({false, "status " + std::to_string(status) + ", not " + statuses_text()});
    }
    for (const ExpectedHeader& wanted : spec_.headers) {
      const auto [first, last] = response.equal_range(wanted.name);
      if (first == last) return finish({false, "no header " + wanted.name});
      const bool found = std::any_of(first, last, [&](const auto& field) {
        return std::string_view(field.value().data(), field.value().size()).find(wanted.value) !=
               std::string_view::npos;
      });
      if (!found)
        return finish({false, "header " + wanted.name + " does not contain '" + wanted.value + "'"});
    }
    if (spec_.body_contains.empty()) return finish({true, ""});
    read_body();
  }

  void read_body() {
    if (parser_.is_done() || seen_ >= kMaxBody) return finish({false, "the text is not in the body"});
    parser_.get().body().data = chunk_.data();
    parser_.get().body().size = std::min(chunk_.size(), kMaxBody - seen_);
    parser_.get().body().more = true;
    http::async_read_some(stream_, buffer_, parser_,
                          [self = this->shared_from_this()](error_code ec, std::size_t) {
                            self->search(ec, self->chunk_size());
                          });
  }

  std::size_t chunk_size() { return std::min(chunk_.size(), kMaxBody - seen_) - parser_.get().body().size; }

  /// What could be the text's beginning is kept for the next piece.
  void search(error_code error, std::size_t bytes) {
    seen_ += bytes;
    window_.append(chunk_.data(), bytes);
    if (window_.find(spec_.body_contains) != std::string::npos) return finish({true, ""});
    const std::size_t keep = std::min(window_.size(), spec_.body_contains.size() - 1);
    window_.erase(0, window_.size() - keep);
    if (error && error != http::error::need_buffer) return fail(error);
    read_body();
  }

  [[nodiscard]] std::string statuses_text() const {
    std::string out;
    for (const StatusRange& range : spec_.statuses) {
      if (!out.empty()) out += ',';
      out += std::to_string(range.first);
      if (range.last != range.first) out += "-" + std::to_string(range.last);
    }
    return out;
  }

  void fail(const error_code& error) { finish({false, connection_problem(error, spec_)}); }
  void finish(CheckOutcome outcome) {
    cancel();
    done_(std::move(outcome));
  }

  std::shared_ptr<CheckTls> tls_;  // outlives the stream
  Stream stream_;
  const CheckSpec spec_;
  const CheckDone done_;
  http::request<http::empty_body> request_;
  boost::beast::flat_buffer buffer_{kMaxBuffer};
  http::response_parser<http::buffer_body> parser_;
  std::array<char, 4096> chunk_{};
  std::string window_;
  std::size_t seen_ = 0;  // bytes of the body
};

}  // namespace

std::shared_ptr<CheckRun> start_http_check(asio::io_context& io, const CheckSpec& spec,
                                           const std::shared_ptr<CheckTls>& tls, CheckDone done) {
  if (spec.kind == CheckKind::kHttps) {
    auto& context = spec.verify_tls ? tls->verified : tls->any;
    auto run = std::make_shared<HttpCheck<Secure>>(io, spec, std::move(done), context);
    run->start(tls);
    return run;
  }
  auto run = std::make_shared<HttpCheck<Plain>>(io, spec, std::move(done));
  run->start(nullptr);
  return run;
}

}  // namespace penstock
