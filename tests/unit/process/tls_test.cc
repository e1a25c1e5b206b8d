#include "penstock/process/tls.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace penstock {
namespace {

TEST(Tls, PlainTextStaysOnThisHost) {
  EXPECT_TRUE(client_credentials("127.0.0.1:7781", {}).ok());
  EXPECT_TRUE(client_credentials("unix:/run/x.sock", {}).ok());
  EXPECT_TRUE(server_credentials("[::1]:7781", {}).ok());
  for (const char* target : {"192.0.2.1:7781", "0.0.0.0:7781", "[2001:db8::1]:7781", "controlplane:7781"}) {
    EXPECT_FALSE(client_credentials(target, {}).ok()) << target;
    const auto server = server_credentials(target, {});
    ASSERT_FALSE(server.ok()) << target;
    EXPECT_EQ(server.error().field, "--grpc");
  }
}

TEST(Tls, IncompleteOrUnreadableFilesNameTheFlag) {
  const auto missing = client_credentials("192.0.2.1:1", TlsFiles{"", "/k.pem", "/ca.pem"});
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().field, "--tls-cert");

  const auto path = std::filesystem::temp_directory_path() / ("penstock-tls-" + std::to_string(getpid()));
  std::ofstream(path) << "not a certificate";
  const auto garbage = server_credentials("192.0.2.1:1", TlsFiles{path, path, path});
  std::filesystem::remove(path);
  ASSERT_FALSE(garbage.ok());
  EXPECT_NE(garbage.error().message.find("not a PEM file"), std::string::npos);
}

}  // namespace
}  // namespace penstock
