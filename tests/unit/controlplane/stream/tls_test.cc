// Mutual TLS with certificates made by openssl(1).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "tests/unit/controlplane/stream/client.h"

namespace penstock {
namespace {

using testing::HasSubstr;

class TlsTest : public testing::Test {
 protected:
  TlsTest() {
    char name[] = "/tmp/penstock-tls-XXXXXX";
    folder_ = mkdtemp(name);
    make_ca("ca");
    make_certificate("controlplane", kControlPlaneTlsName, "ca");
    make_certificate("gw1", "gw1.gateway.penstock", "ca");
  }
  ~TlsTest() override { std::filesystem::remove_all(folder_); }

  void run(const std::string& command) {
    ASSERT_EQ(std::system(("cd " + folder_ + " && (" + command + ") >/dev/null 2>&1").c_str()), 0) << command;
  }
  void make_ca(const std::string& ca) {
    run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=" + ca +
        " -keyout " + ca + ".key -out " + ca + ".crt");
  }
  void make_certificate(const std::string& file, const std::string& name, const std::string& ca) {
    run("openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=" + name +
        " -keyout " + file + ".key -out " + file + ".csr && printf 'subjectAltName=DNS:" + name + "' > " +
        file + ".ext && " + "openssl x509 -req -in " + file + ".csr -CA " + ca + ".crt -CAkey " + ca +
        ".key -CAcreateserial -days 2" + " -extfile " + file + ".ext -out " + file + ".crt");
  }
  [[nodiscard]] TlsFiles files(const std::string& name, const std::string& ca) const {
    return {folder_ + "/" + name + ".crt", folder_ + "/" + name + ".key", folder_ + "/" + ca + ".crt"};
  }
  std::unique_ptr<Streams> serve() {
    auto streams = Streams::start("127.0.0.1:0", files("controlplane", "ca"));
    EXPECT_TRUE(streams) << streams.error().text();
    return std::move(streams).value();
  }
  static grpc::Status dial(const Streams& streams,
                           const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
    GatewayClient gateway(open_channel("127.0.0.1:" + std::to_string(streams.port()), credentials, true));
    (void)gateway.say(gateway_hello("gw1"));
    return gateway.hear() ? grpc::Status::OK : gateway.ended();
  }

  std::string folder_;
};

TEST_F(TlsTest, APeerWithACertificateOfTheCaIsServed) {
  const auto streams = serve();
  DesiredState state;
  state.generation = 1;
  streams->publish(std::make_shared<const DesiredState>(state));
  const auto credentials = client_credentials("192.0.2.1:7781", files("gw1", "ca"));
  ASSERT_TRUE(credentials) << credentials.error().text();
  const grpc::Status status = dial(*streams, *credentials);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(TlsTest, APeerWithoutOneOrOfAnotherCaIsNotServed) {
  const auto streams = serve();
  grpc::SslCredentialsOptions anonymous;
  anonymous.pem_root_certs = load_pem(files("gw1", "ca"))->ca;
  EXPECT_EQ(dial(*streams, grpc::SslCredentials(anonymous)).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(dial(*streams, grpc::InsecureChannelCredentials()).error_code(), grpc::StatusCode::UNAVAILABLE);

  make_ca("other");
  make_certificate("stranger", "gw1.gateway.penstock", "other");
  grpc::SslCredentialsOptions stranger;
  const auto pem = load_pem(files("stranger", "ca"));
  stranger.pem_root_certs = pem->ca;
  stranger.pem_cert_chain = pem->certificate;
  stranger.pem_private_key = pem->key;
  EXPECT_EQ(dial(*streams, grpc::SslCredentials(stranger)).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(streams->gateways().empty());
}

TEST_F(TlsTest, ACertificateOpensOnlyTheSessionThatItNames) {
  const auto streams = serve();
  for (const char* name : {"gw2.gateway.penstock", "gw1.node.penstock", "gw1"}) {
    make_certificate("other-name", name, "ca");
    const auto credentials = client_credentials("192.0.2.1:7781", files("other-name", "ca"));
    ASSERT_TRUE(credentials) << credentials.error().text();
    const grpc::Status status = dial(*streams, *credentials);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED) << name;
    EXPECT_THAT(status.error_message(), HasSubstr("gw1.gateway.penstock")) << name;
  }
  EXPECT_TRUE(streams->gateways().empty());
}

TEST_F(TlsTest, AnAddressForOtherHostsNeedsCertificates) {
  const auto open = Streams::start("0.0.0.0:0", TlsFiles{});
  ASSERT_FALSE(open);
  EXPECT_EQ(open.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(open.error().field, "--grpc");
  EXPECT_TRUE(Streams::start("0.0.0.0:0", files("controlplane", "ca")));
}

}  // namespace
}  // namespace penstock
