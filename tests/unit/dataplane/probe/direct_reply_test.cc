#include "dataplane/probe/direct_reply.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace penstock {
namespace {

std::span<const std::uint8_t> bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

TEST(DirectReply, AResponseIsJudgedByStatusHeadersAndBody) {
  DirectCheckDocument plain, narrow, strict;
  narrow.statuses = {{301, 301}, {404, 410}};
  strict.body_contains = "all well";
  strict.headers = {{"X-Role", "primary"}, {"Server", ""}};
  struct Case {
    const char* what;
    const DirectCheckDocument& check;
    std::string response;
    bool wanted;
  };
  const Case cases[] = {
      {"200", plain, "HTTP/1.1 200 OK\r\n\r\n", true},
      {"HTTP/1.0", plain, "HTTP/1.0 204 No Content\r\n", true},
      {"no reason", plain, "HTTP/1.1 299\r\n", true},
      {"ends behind the status", plain, "HTTP/1.1 200", true},
      {"ends within the status", plain, "HTTP/1.1 20", false},
      {"300", plain, "HTTP/1.1 300 x\r\n", false},
      {"199", plain, "HTTP/1.1 199 x\r\n", false},
      {"four digits", plain, "HTTP/1.1 2000 x\r\n", false},
      {"no digits", plain, "HTTP/1.1 2x0 x\r\n", false},
      {"HTTP/2", plain, "HTTP/2.0 200 OK\r\n", false},
      {"no digit in the version", plain, "HTTP/1.x 200 OK\r\n", false},
      {"nothing", plain, "", false},
      {"something else", plain, "220 mail ready\r\n", false},
      {"in a range", narrow, "HTTP/1.1 405 x\r\n", true},
      {"alone", narrow, "HTTP/1.1 301 x\r\n", true},
      {"between ranges", narrow, "HTTP/1.1 302 x\r\n", false},
      {"200 is not listed", narrow, "HTTP/1.1 200 OK\r\n", false},
      {"all there", strict, "HTTP/1.1 200 OK\r\nserver: a\r\nx-role: a primary b\r\n\r\nis all well?", true},
      {"wrong value", strict, "HTTP/1.1 200 OK\r\nServer: a\r\nX-Role: second\r\n\r\nall well", false},
      {"header missing", strict, "HTTP/1.1 200 OK\r\nServer: a\r\n\r\nall well", false},
      {"name only begins", strict, "HTTP/1.1 200 OK\r\nServer: a\r\nX-Role2: primary\r\n\r\nall well", false},
      {"in the body", strict, "HTTP/1.1 200 OK\r\nServer: a\r\n\r\nX-Role: primary\r\nall well", false},
      {"body is elsewhere", strict, "HTTP/1.1 200 OK\r\nServer: a\r\nX-Role: primary\r\n\r\nall", false},
      {"body among headers", strict, "HTTP/1.1 200 OK\r\nServer: all well\r\nX-Role: primary\r\n\r\n", false},
  };
  for (const Case& c : cases) EXPECT_EQ(is_wanted_response(c.check, bytes(c.response)), c.wanted) << c.what;
}

TEST(DirectReply, ADatagramBeginsWithWhatIsExpected) {
  DirectCheckDocument any, pong;
  pong.expect = "pong";
  const std::string header(8, 'h');
  EXPECT_TRUE(is_wanted_datagram(any, bytes(header)));
  EXPECT_TRUE(is_wanted_datagram(any, bytes(header + "x")));
  EXPECT_TRUE(is_wanted_datagram(pong, bytes(header + "pong and more")));
  EXPECT_FALSE(is_wanted_datagram(pong, bytes(header + "pon")));
  EXPECT_FALSE(is_wanted_datagram(pong, bytes(header + "ping")));
  EXPECT_FALSE(is_wanted_datagram(any, bytes("short")));
}

TEST(DirectReply, ASegmentIsReadWithItsOptionsOrNotAtAll) {
  std::vector<std::uint8_t> segment(27);
  segment[4] = 1, segment[11] = 2, segment[13] = 0x12, segment[26] = 'x';
  for (unsigned words = 0; words < 16; ++words) {
    segment[12] = static_cast<std::uint8_t>(words << 4);
    const auto read = read_tcp(segment);
    ASSERT_EQ(read.has_value(), words == 5 || words == 6) << words;
    if (!read) continue;
    EXPECT_EQ(read->sequence, 0x0100'0000U);
    EXPECT_EQ(read->acknowledgment, 2U);
    EXPECT_EQ(read->flags, 0x12);
    EXPECT_EQ(read->payload.size(), 27 - 4 * words);
  }
  for (std::size_t length = 0; length < 20; ++length)
    EXPECT_FALSE(read_tcp(std::span(segment).first(length))) << length;
}

}  // namespace
}  // namespace penstock
