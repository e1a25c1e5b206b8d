#include "controlplane/api/router.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

HttpResponse ask_router(Method method, const std::string& target) {
  Router router;
  const auto echo = [](const std::string& name) {
    return [name](const HttpRequest&, Router::Captures captures) {
      std::string body = name;
      for (const std::string& capture : captures) body += " [" + capture + "]";
      return HttpResponse{200, "text/plain", body, {}};
    };
  };
  router.add(Method::kGet, "/a", echo("list"));
  router.add(Method::kPost, "/a", echo("create"));
  router.add(Method::kGet, "/a/{id}", echo("item"));
  router.add(Method::kDelete, "/a/{id}/b/{id}", echo("deep"));
  HttpRequest request;
  request.method = method;
  request.target = target;
  return router.route(request);
}

TEST(Router, SegmentsAreDecodedAfterTheyWereSplit) {
  EXPECT_EQ(ask_router(Method::kGet, "/a/x").body, "item [x]");
  EXPECT_EQ(ask_router(Method::kGet, "/%61/x%2Fy%00").body, std::string("item [x/y\0]", 11));
  EXPECT_EQ(ask_router(Method::kDelete, "/a/1/b/2").body, "deep [1] [2]");
  EXPECT_EQ(ask_router(Method::kGet, "http://host:1/a").body, "list");
}

TEST(Router, PathsHaveNoTricks) {
  for (const char* path : {"/", "//a", "/a/", "/a//x", "/a/b/c", "/b/../a", "/./a", "/A", "/a/1/b/2/"}) {
    const unsigned status = ask_router(Method::kGet, path).status;
    EXPECT_EQ(status, 404u) << path;
  }
  for (const char* path : {"", "*", "a", "/a/%", "/a/%4", "/a/%zz", "/a?x=1", "/a#x"}) {
    EXPECT_EQ(ask_router(Method::kGet, path).status, 400u) << path;
  }
}

TEST(Router, AnotherMethodIsToldWhichOnesThereAre) {
  const HttpResponse response = ask_router(Method::kPatch, "/a");
  EXPECT_EQ(response.status, 405u);
  ASSERT_EQ(response.headers.size(), 1u);
  EXPECT_EQ(response.headers[0], (std::pair<std::string, std::string>("Allow", "GET, HEAD, POST")));
  EXPECT_EQ(ask_router(Method::kHead, "/a").body, "list");
  EXPECT_EQ(ask_router(Method::kOther, "/a").status, 405u);
}

}  // namespace
}  // namespace penstock
