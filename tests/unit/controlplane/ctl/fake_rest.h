// An HTTP server on loopback that answers what a test has laid out and records what it was asked.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace penstock::test {

struct Asked {
  std::string method, target, content_type, body;
};

struct Answer {
  unsigned status = 200;
  std::string body = "{}";
  std::string content_type = "application/json";
};

class FakeRest {
 public:
  using Handler = std::function<Answer(const Asked&)>;

  /// Listens on a free loopback port.
  explicit FakeRest(Handler handler);
  ~FakeRest();

  [[nodiscard]] std::string url() const;
  /// Call after the client has its answer.
  [[nodiscard]] std::vector<Asked> asked() const;

 private:
  struct Server;
  std::unique_ptr<Server> server_;
};

}  // namespace penstock::test
