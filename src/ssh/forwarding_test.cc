#include "ssh/forwarding.h"

#include <gtest/gtest.h>

#include "support/ssh_client.h"

namespace sandtrap::ssh {
namespace {

TEST(ForwardRules, ParseAndNothingElse) {
  const auto rule = parse_forward_rule("*.example.com:25 no-route");
  ASSERT_TRUE(rule);
  EXPECT_EQ(rule->target, "*.example.com:25");
  EXPECT_EQ(rule->outcome, ForwardOutcome::kNoRoute);
  for (const char* text : {"", "x", "x y", " refused", "refused", "x refused "}) {
    EXPECT_FALSE(parse_forward_rule(text)) << text;
  }
}

TEST(ForwardRules, TheFirstMatchDecides) {
  test::SeededEntropy entropy(1);
  const std::vector<ForwardRule> rules = {{"localhost", ForwardOutcome::kRefused},
                                          {"*:25", ForwardOutcome::kNoRoute},
                                          {"ipv6", ForwardOutcome::kUnreachable},
                                          {"unresolvable", ForwardOutcome::kUnknownName},
                                          {"mail.*.org", ForwardOutcome::kLookupFails}};
  const auto text = [&](std::string_view host, std::uint32_t port) {
    return judge_forward(rules, {}, host, port, entropy).text;
  };
  for (const char* host : {"localhost", "127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::"}) {
    EXPECT_EQ(text(host, 25), "Connection refused") << host;
  }
  EXPECT_EQ(text("198.51.100.1", 25), "No route to host");
  EXPECT_EQ(text("2001:db8::1", 80), "Network is unreachable");
  for (const char* host : {"x", "host.", "a.invalid", "a.LOCAL", "no such", "x.onion."}) {
    EXPECT_EQ(text(host, 80), "Name or service not known") << host;
  }
  EXPECT_EQ(text("mail.a.b.org", 80), "Temporary failure in name resolution");
  EXPECT_EQ(text("mail.a.b.org.uk", 80), "Connection timed out");
  EXPECT_EQ(text("", 80), "Name or service not known");
}

TEST(ForwardRules, DelaysAreThoseOfAResolverAndAKernel) {
  test::SeededEntropy entropy(1);
  const ForwardTiming timing;
  for (int i = 0; i < 100; ++i) {
    const ForwardVerdict slow = judge_forward({}, timing, "example.com", 80, entropy);
    EXPECT_GE(slow.lookup, timing.lookup_min);
    EXPECT_LE(slow.lookup, timing.lookup_max);
    EXPECT_GE(slow.connect, timing.timeout_min);
    EXPECT_LE(slow.connect, timing.timeout_max);
  }
  EXPECT_EQ(judge_forward({}, timing, "192.0.2.1", 80, entropy).lookup, base::Duration::zero());
  const std::vector<ForwardRule> failing = {{"*", ForwardOutcome::kLookupFails}};
  EXPECT_GE(judge_forward(failing, timing, "example.com", 80, entropy).lookup,
            timing.failed_lookup_min);
}

TEST(ForwardListeners, EphemeralPortsAreTheKernels) {
  test::SeededEntropy entropy(9);
  for (int i = 0; i < 200; ++i) {
    ForwardListeners listeners;
    std::uint32_t port = 0;
    EXPECT_EQ(listeners.add_tcp("", port, entropy), 2U);
    EXPECT_EQ(port % 2, 1U);
    EXPECT_GE(port, 32769U);
    EXPECT_LE(port, 46883U);
    EXPECT_TRUE(listeners.remove_tcp("", port));
  }
}

TEST(ForwardListeners, AreBounded) {
  test::SeededEntropy entropy(9);
  ForwardListeners listeners;
  for (std::uint32_t port = 1; port < 2000; ++port) {
    std::uint32_t wanted = port;
    listeners.add_tcp("", wanted, entropy);
    listeners.add_unix("/tmp/" + std::to_string(port));
  }
  EXPECT_LE(listeners.size(), 200U);
  EXPECT_EQ(ForwardListeners().add_unix(std::string(108, 'x')), 0U);
}

}  // namespace
}  // namespace sandtrap::ssh
