// The whole control plane in one process: REST over a real socket, a real store, real gRPC peers.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "controlplane/api/api.h"
#include "controlplane/api/http_server.h"
#include "controlplane/store/sqlite_store.h"
#include "tests/unit/controlplane/api/raw_http.h"
#include "tests/unit/controlplane/stream/client.h"

namespace penstock {

class WholeControlPlane : public testing::Test {
 protected:
  WholeControlPlane() {
    char name[] = "/tmp/penstock-api-XXXXXX";
    folder_ = mkdtemp(name);
    begin();
  }
  ~WholeControlPlane() override {
    end();
    std::filesystem::remove_all(folder_);
  }

  /// Another process on the same store, on other ports.
  void restart() {
    end();
    begin();
  }

  RawAnswer call(const std::string& method, const std::string& path, const std::string& body = "",
                 const std::string& headers = "") {
    return ask(http_->port(), method, path, body, headers);
  }
  /// Waits until REST shows `value` at `pointer` of `path`.
  bool shows(const std::string& path, const std::string& pointer, const nlohmann::json& value) {
    return eventually([&] {
      return call("GET", path).json().value(nlohmann::json::json_pointer(pointer), nlohmann::json()) == value;
    });
  }

  std::string folder_;
  std::unique_ptr<Streams> streams_;
  std::unique_ptr<Desired> desired_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<HttpServer> http_;
  std::thread thread_;

 private:
  void begin() {
    streams_ = start_streams();
    desired_ = Desired::load(SqliteStore::open(folder_ + "/store.db").value(), [this](DesiredSnapshot s) {
                 streams_->publish(std::move(s));
               }).value();
    api_ = std::make_unique<Api>(*desired_, *streams_, "1.2.3");
    http_ =
        HttpServer::listen("127.0.0.1:0", [this](const HttpRequest& r) { return api_->handle(r); }).value();
    thread_ = std::thread([this] { http_->run(); });
  }
  void end() {
    http_->stop();
    thread_.join();
    http_.reset();
    api_.reset();
    desired_.reset();
    streams_.reset();
  }
};

}  // namespace penstock
