// HTTP and HTTPS checks against a real server (Beast, OpenSSL), well-behaved and otherwise.
#include <gmock/gmock.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cstdlib>
#include <filesystem>

#include "tests/unit/bpf/agent/checks/peer.h"

namespace penstock {
namespace {

namespace http = boost::beast::http;
namespace ssl = boost::asio::ssl;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

template <class Stream>
void serve(Stream& stream, const std::function<Response(const Request&)>& answer) {
  boost::beast::flat_buffer buffer;
  Request request;
  http::read(stream, buffer, request);
  Response response = answer(request);
  response.prepare_payload();
  http::serializer<false, http::string_body> out(response);
  if (request.method() == http::verb::head) {
    http::write_header(stream, out);
  } else {
    http::write(stream, out);
  }
}

Peer::Serve web(std::function<Response(const Request&)> answer) {
  return [answer = std::move(answer)](Peer::Socket& socket) { serve(socket, answer); };
}

/// Sends these bytes after any request, then stays.
Peer::Serve say(std::string bytes, bool hang_up = false) {
  return [bytes = std::move(bytes), hang_up](Peer::Socket& socket) {
    boost::beast::flat_buffer buffer;
    Request request;
    http::read(socket, buffer, request);
    boost::asio::write(socket, boost::asio::buffer(bytes));
    if (!hang_up) stay_silent(socket);
  };
}

Response ok(const std::string& body = "all is well") {
  Response response{http::status::ok, 11};
  response.body() = body;
  return response;
}

CheckResult checked(
    const Peer& peer, const std::function<void(CheckSpec&)>& change = [](CheckSpec&) {}) {
  CheckSpec spec = local_check(CheckKind::kHttp, peer.port());
  change(spec);
  return run_once(spec);
}

TEST(HttpCheck, AsksAsItWasTold) {
  std::vector<Request> seen;
  Peer peer(web([&](const Request& request) {
    seen.push_back(request);
    return ok();
  }));
  EXPECT_EQ(checked(peer, [](CheckSpec& spec) { spec.interval_ms = 10'000; }).verdict,
            CheckVerdict::kPassing);
  EXPECT_EQ(checked(peer,
                    [](CheckSpec& spec) {
                      spec.interval_ms = 10'000;
                      spec.method = "HEAD";
                      spec.path = "/healthz?deep=1";
                      spec.host = "www.example";
                    })
                .verdict,
            CheckVerdict::kPassing);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].method(), http::verb::get);
  EXPECT_EQ(seen[0].target(), "/");
  EXPECT_EQ(seen[0][http::field::host], "127.0.0.1:" + std::to_string(peer.port()));
  EXPECT_EQ(seen[0][http::field::user_agent], "penstock-node");
  EXPECT_EQ(seen[1].method(), http::verb::head);
  EXPECT_EQ(seen[1].target(), "/healthz?deep=1");
  EXPECT_EQ(seen[1][http::field::host], "www.example");
}

TEST(HttpCheck, TheStatusMustBeOneOfThose) {
  Peer peer(web([](const Request&) { return Response{http::status::service_unavailable, 11}; }));
  EXPECT_EQ(checked(peer).detail, "status 503, not 200-299");
  const auto accept = [](std::vector<StatusRange> ranges) {
    return [ranges](CheckSpec& spec) { spec.statuses = ranges; };
  };
  EXPECT_EQ(checked(peer, accept({{200, 299}, {503, 503}})).verdict, CheckVerdict::kPassing);
  EXPECT_EQ(checked(peer, accept({{200, 204}, {301, 301}})).detail, "status 503, not 200-204,301");
}

TEST(HttpCheck, EveryHeaderMustBeThereAndContainItsValue) {
  Peer peer(web([](const Request&) {
    Response response = ok();
    response.insert("X-Role", "spare");
    response.insert("X-Role", "primary-7");
    return response;
  }));
  const auto expect = [](std::vector<ExpectedHeader> headers) {
    return [headers](CheckSpec& spec) { spec.headers = headers; };
  };
  EXPECT_EQ(checked(peer, expect({{"x-role", "primary"}, {"X-ROLE", ""}})).verdict, CheckVerdict::kPassing);
  EXPECT_EQ(checked(peer, expect({{"X-Role", "primary"}, {"X-Zone", ""}})).detail, "no header X-Zone");
  EXPECT_EQ(checked(peer, expect({{"X-Role", "leader"}})).detail, "header X-Role does not contain 'leader'");
}

TEST(HttpCheck, TheTextMayLieAnywhereInTheFirst64KiB) {
  const auto body = [](std::size_t at) { return std::string(at, '.') + "needle" + std::string(100, '.'); };
  const auto look = [](CheckSpec& spec) { spec.body_contains = "needle"; };
  for (const std::size_t at : {0u, 1u, 4090u, 4093u, 4096u, 30'000u, 65'530u}) {
    Peer peer(web([&](const Request&) { return ok(body(at)); }));
    EXPECT_EQ(checked(peer, look).verdict, CheckVerdict::kPassing) << at;
  }
  Peer late(web([&](const Request&) { return ok(body(65'531)); }));
  EXPECT_EQ(checked(late, look).detail, "the text is not in the body");
  Peer none(web([](const Request&) { return ok("nothing of the sort"); }));
  EXPECT_EQ(checked(none, look).detail, "the text is not in the body");
  Peer empty(web([](const Request&) { return ok(""); }));
  EXPECT_EQ(checked(empty, look).detail, "the text is not in the body");
}

TEST(HttpCheck, BodiesOfEveryFormAreRead) {
  const auto look = [](CheckSpec& spec) { spec.body_contains = "needle"; };
  Peer chunked(say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnee\r\n3\r\ndle\r\n0\r\n\r\n"));
  EXPECT_EQ(checked(chunked, look).verdict, CheckVerdict::kPassing);
  Peer until_close(say("HTTP/1.0 200 OK\r\n\r\nhere is a needle", true));
  EXPECT_EQ(checked(until_close, look).verdict, CheckVerdict::kPassing);
  Peer without(say("HTTP/1.0 200 OK\r\n\r\nhere is none", true));
  EXPECT_EQ(checked(without, look).detail, "the text is not in the body");
}

TEST(HttpCheck, AnEndlessBodyEndsTheCheck) {
  Peer endless([](Peer::Socket& socket) {
    boost::beast::flat_buffer buffer;
    Request request;
    http::read(socket, buffer, request);
    boost::asio::write(socket, boost::asio::buffer(std::string("HTTP/1.1 200 OK\r\n\r\n")));
    for (const std::string more(10'000, 'x');;) boost::asio::write(socket, boost::asio::buffer(more));
  });
  EXPECT_EQ(checked(endless, [](CheckSpec& spec) { spec.body_contains = "y"; }).detail,
            "the text is not in the body");
}

TEST(HttpCheck, BadPeersFailInTime) {
  struct Case {
    const char* what;
    Peer::Serve serve;
    const char* detail;
  };
  const Case cases[] = {
      {"silent", stay_silent, "no answer within 300 ms"},
      {"stops in the header", say("HTTP/1.1 200 OK\r\nX-A"), "no answer within 300 ms"},
      {"hangs up without a word", [](Peer::Socket&) {}, ""},
      {"hangs up in the header", say("HTTP/1.1 200 OK\r\nX-A", true), ""},
      {"no HTTP", say("SSH-2.0-OpenSSH_9.2\r\n\r\n"), "bad version"},
      {"header without end", say("HTTP/1.1 200 OK\r\nX-A: " + std::string(40'000, 'a')),
       "header limit exceeded"},
      {"two lengths", say("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
       "bad Content-Length"},
      {"trickle",
       [](Peer::Socket& socket) {
         for (const char c : std::string("HTTP/1.1 200 OK\r\nX-Slow: ") + std::string(10'000, 'z')) {
           boost::asio::write(socket, boost::asio::buffer(&c, 1));
           std::this_thread::sleep_for(std::chrono::milliseconds(20));
         }
       },
       "no answer within 300 ms"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    Peer peer(c.serve);
    const CheckResult result = checked(peer, [](CheckSpec& spec) { spec.timeout_ms = 300; });
    EXPECT_EQ(result.verdict, CheckVerdict::kFailing);
    EXPECT_THAT(result.detail, HasSubstr(c.detail));
    EXPECT_NE(result.detail, "");
    EXPECT_TRUE(eventually([&] { return peer.open() == 0; }));
  }
}

/// A certificate that signs itself, for www.example and 127.0.0.1.
struct Identity {
  Identity() {
    key = EVP_EC_gen("P-256");
    certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_NAME* const name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1,
                               -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_set_pubkey(certificate, key);
    for (const auto& [kind, value] : {std::pair{NID_basic_constraints, "critical,CA:TRUE"},
                                      std::pair{NID_subject_alt_name, "DNS:www.example,IP:127.0.0.1"}}) {
      X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value);
      X509_add_ext(certificate, extension, -1);
      X509_EXTENSION_free(extension);
    }
    X509_sign(certificate, key, EVP_sha256());
  }
  ~Identity() {
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  Identity(const Identity&) = delete;
  Identity& operator=(const Identity&) = delete;

  void save(const std::string& path) const {
    std::FILE* const file = std::fopen(path.c_str(), "w");
    PEM_write_X509(file, certificate);
    std::fclose(file);
  }

  EVP_PKEY* key;
  X509* certificate;
};

class HttpsCheck : public ::testing::Test {
 protected:
  HttpsCheck() {
    char folder[] = "/tmp/penstock-https-XXXXXX";
    folder_ = mkdtemp(folder);
    trusted_.save(folder_ + "/trusted.pem");
    setenv("SSL_CERT_FILE", (folder_ + "/trusted.pem").c_str(), 1);
    setenv("SSL_CERT_DIR", folder_.c_str(), 1);
  }
  ~HttpsCheck() override {
    std::filesystem::remove_all(folder_);
    unsetenv("SSL_CERT_FILE");
    unsetenv("SSL_CERT_DIR");
  }

  /// Remembers the name that clients ask for.
  Peer::Serve secure(const Identity& identity) {
    return [this, &identity](Peer::Socket& socket) {
      ssl::context context(ssl::context::tls_server);
      SSL_CTX_use_certificate(context.native_handle(), identity.certificate);
      SSL_CTX_use_PrivateKey(context.native_handle(), identity.key);
      ssl::stream<Peer::Socket&> stream(socket, context);
      stream.handshake(ssl::stream_base::server);
      {
        const std::lock_guard lock(mutex_);
        const char* name = SSL_get_servername(stream.native_handle(), TLSEXT_NAMETYPE_host_name);
        asked_for_ = name != nullptr ? name : "";
      }
      serve(stream, [](const Request&) { return ok("needle"); });
    };
  }

  static CheckResult checked(const Peer& peer, const std::string& host, bool verify) {
    CheckSpec spec = local_check(CheckKind::kHttps, peer.port());
    spec.host = host;
    spec.verify_tls = verify;
    spec.body_contains = "needle";
    return run_once(spec);
  }

  std::string asked_for() {
    const std::lock_guard lock(mutex_);
    return asked_for_;
  }

  Identity trusted_;
  Identity stranger_;
  std::string folder_;
  std::mutex mutex_;
  std::string asked_for_;
};

TEST_F(HttpsCheck, ATrustedCertificateOfTheHostPasses) {
  Peer peer(secure(trusted_));
  EXPECT_EQ(checked(peer, "www.example", true).detail, "");
  EXPECT_EQ(asked_for(), "www.example");
  EXPECT_EQ(checked(peer, "www.example:8443", true).detail, "");
  EXPECT_EQ(asked_for(), "www.example");
  EXPECT_EQ(checked(peer, "", true).verdict, CheckVerdict::kPassing) << "the VIP itself";
  EXPECT_EQ(asked_for(), "") << "an address is not a name to ask for (RFC 6066)";
}

TEST_F(HttpsCheck, AnotherHostsCertificateFailsIfVerified) {
  Peer peer(secure(trusted_));
  const CheckResult result = checked(peer, "other.example", true);
  EXPECT_EQ(result.verdict, CheckVerdict::kFailing);
  EXPECT_EQ(result.detail, "certificate: hostname mismatch");
  EXPECT_EQ(checked(peer, "other.example", false).verdict, CheckVerdict::kPassing);
}

TEST_F(HttpsCheck, AnUntrustedCertificateFailsIfVerified) {
  Peer peer(secure(stranger_));
  const CheckResult result = checked(peer, "www.example", true);
  EXPECT_EQ(result.verdict, CheckVerdict::kFailing);
  EXPECT_THAT(result.detail, StartsWith("certificate: "));
  EXPECT_EQ(checked(peer, "www.example", false).verdict, CheckVerdict::kPassing);
}

TEST_F(HttpsCheck, PeersThatSpeakNoTlsFailInTime) {
  Peer plain(say("HTTP/1.1 200 OK\r\n\r\n", true));
  EXPECT_EQ(checked(plain, "", false).verdict, CheckVerdict::kFailing);
  Peer silent(stay_silent);
  CheckSpec spec = local_check(CheckKind::kHttps, silent.port());
  spec.timeout_ms = 200;
  EXPECT_EQ(run_once(spec).detail, "no answer within 200 ms");
}

}  // namespace
}  // namespace penstock
