#include "config/persona.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/document.h"
#include "config/persona_rules.h"

namespace sandtrap::config {
namespace {

using testing::HasSubstr;

std::string text_of(std::string_view name) {
  for (const CompiledPersona& one : compiled_persona_texts()) {
    if (one.name == name) return std::string(one.text);
  }
  return {};
}

// The Debian 12 document with one piece of text replaced; reports the first problem.
std::string problem_with(const std::string& what, const std::string& by) {
  std::string text = text_of("debian-12");
  const std::size_t at = text.find(what);
  if (at == std::string::npos) return "the test looks for text that is not there";
  text.replace(at, what.size(), by);
  const PersonaRead read = read_persona(text, "my.yaml");
  return read.problems.empty() ? "" : to_string(read.problems.front());
}

TEST(Personas, AllCompiledOnesAreGoodAndGoByTheNameOfTheirFile) {
  ASSERT_EQ(compiled_personas(), (std::vector<std::string>{"debian-11", "debian-12", "ubuntu-20.04",
                                                           "ubuntu-22.04", "ubuntu-24.04"}));
  for (const CompiledPersona& one : compiled_persona_texts()) {
    const PersonaRead read = read_persona(one.text, "x");
    EXPECT_TRUE(read.problems.empty()) << to_string(read.problems.front());
    EXPECT_EQ(read.file.common.profile.name, one.name);
  }
}

TEST(Personas, TheDefaultIsDebian12AsItIsToday) {
  const auto persona = persona_of(load("", "").settings);
  ASSERT_TRUE(persona.has_value());
  EXPECT_EQ(persona->profile.software, "OpenSSH_9.2p1 Debian-2+deb12u10");
  EXPECT_EQ(hassh_server(persona->profile), "425d29fe50d8e4f5e37efb6e24bcf660");
  EXPECT_EQ(persona->guest.system, "debian-12");
  EXPECT_EQ(persona->guest.sftp_extensions.size(), 11U);
}

TEST(Personas, ABannerWithAListThatItsRevisionNeverHadIsRefusedWithItsPlace) {
  const std::string row = "software: OpenSSH_9.2p1 Debian-2+deb12u3, build: strict}";
  const std::string problem =
      problem_with(row, "software: OpenSSH_9.2p1 Debian-2+deb12u3, build: strict-sntrup}");
  EXPECT_THAT(problem,
              HasSubstr("OpenSSH_9.2p1 Debian-2+deb12u3 never had this key exchange list"));
  EXPECT_THAT(problem, HasSubstr("allowed: sntrup761x25519-sha512@openssh.com,curve25519-sha256,"));
  EXPECT_EQ(problem.substr(0, 8), "my.yaml:");
}

TEST(Personas, AnUnknownRevisionMayHaveAnyListOfItsPackage) {
  const std::string row =
      "{name: deb12u3, software: OpenSSH_9.2p1 Debian-2+deb12u3, build: strict}";
  EXPECT_EQ(problem_with(
                row, "{name: deb12u30, software: OpenSSH_9.2p1 Debian-2+deb12u30, build: strict}"),
            "");
  EXPECT_THAT(
      problem_with(row, "{name: x, software: OpenSSH_8.4p1 Debian-5+deb11u9, build: strict}"),
      HasSubstr("OpenSSH_8.4p1 Debian never had this key exchange list"));
}

TEST(Personas, MistakesAreNamedWithWhatIsAllowed) {
  EXPECT_THAT(problem_with("- aes128-ctr", "- aes128-cfb"),
              HasSubstr("\"aes128-cfb\" is not known; allowed: chacha20-poly1305@openssh.com, "));
  EXPECT_THAT(problem_with("- aes192-ctr", "- aes128-ctr"), HasSubstr("stands in the list twice"));
  EXPECT_THAT(problem_with("  ping: false", "  pong: false"), HasSubstr("did you mean ping?"));
  EXPECT_THAT(problem_with("window: 2097152", "window: 1"),
              HasSubstr("window is out of range; allowed: a whole number from 32768 to 16777216"));
  EXPECT_THAT(problem_with("default_revision: deb12u10", "default_revision: deb12u11"),
              HasSubstr("allowed: deb12u1, deb12u2"));
  EXPECT_THAT(problem_with("build: unpatched}", "build: none}"),
              HasSubstr("allowed: unpatched, strict, strict-sntrup"));
  EXPECT_THAT(problem_with("repeated_kex_init: close", "repeated_kex_init: maybe"),
              HasSubstr("allowed: unimplemented, close"));
  EXPECT_THAT(problem_with("compression: [none, zlib@openssh.com]", "compression: []"),
              HasSubstr("the list is empty"));
  EXPECT_THAT(problem_with("name: debian-12\n", ""), HasSubstr("the persona lacks the key name"));
}

TEST(Personas, NoTextMakesTheReaderFall) {
  for (const char* text : {"", "x", "[1, 2]", "name: [a]", "builds: 3\nrevisions: {a: b}",
                           "builds: [1, [2]]\nrevisions: [{}, {name: a, build: b}]",
                           "guest: 3\nlegacy: [x]\next_info: [{name: a}]"}) {
    EXPECT_FALSE(read_persona(text, "x").problems.empty()) << text;
  }
}

TEST(Personas, OneThatDoesNotFitIntoTheSettingsIsRefused) {
  const PersonaRead read = read_persona(text_of("debian-12") + std::string(40000, '#'), "x");
  ASSERT_EQ(read.problems.size(), 1U);
  EXPECT_THAT(read.problems.front().text, HasSubstr("allowed: at most 32 KiB"));
}

TEST(PersonaSettings, AnUnknownPersonaOrRevisionIsRefusedWithItsPlace) {
  const auto first = [](const char* text) {
    const auto problems = load(text, "c.yaml").problems;
    return problems.empty() ? std::string() : to_string(problems.front());
  };
  EXPECT_EQ(first("server:\n  persona: debian-13\n"),
            "c.yaml:2:12: persona \"debian-13\" is not known; allowed: debian-11, debian-12, "
            "ubuntu-20.04, ubuntu-22.04, ubuntu-24.04");
  EXPECT_THAT(first("server:\n  persona: debian-11\n  persona_revision: deb12u3\n"),
              HasSubstr("c.yaml:3:21: debian-11 has no revision deb12u3; allowed: deb11u1, "));
  EXPECT_EQ(first("server:\n  persona: ubuntu-24.04\n  persona_revision: 3ubuntu13.14\n"), "");
}

TEST(PersonaSettings, AFileOfTheOperatorsTakesThePlaceOfThePersona) {
  std::string text = text_of("debian-12");
  text.replace(text.find("name: debian-12"), 15, "name: my-server");
  text.replace(text.find("login_grace: 120s"), 17, "login_grace: 45s");
  const LoadResult loaded = load("server: {persona_file: my.yaml}", "c.yaml", text);
  ASSERT_TRUE(loaded.problems.empty()) << to_string(loaded.problems.front());
  EXPECT_EQ(loaded.settings.server.persona, "my-server");
  EXPECT_EQ(loaded.settings.server.persona_revision, "deb12u10");
  EXPECT_EQ(loaded.settings.server.login_grace_time, std::chrono::seconds(45));
  EXPECT_EQ(persona_of(loaded.settings)->profile.name, "my-server");

  // The gate opens no file: what it reads holds the whole persona.
  const LoadResult gate = load(dump(loaded.settings, Audience::kGate), "settings");
  ASSERT_TRUE(gate.problems.empty()) << to_string(gate.problems.front());
  EXPECT_EQ(persona_of(gate.settings)->profile.name, "my-server");
  EXPECT_EQ(gate.settings.server.persona_file, "");

  const LoadResult other =
      load("server: {persona: debian-12, persona_file: my.yaml}", "c.yaml", text);
  ASSERT_FALSE(other.problems.empty());
  EXPECT_THAT(to_string(other.problems.front()), HasSubstr("allowed: my-server"));
}

TEST(PersonaSettings, AProblemInTheFileNamesTheFile) {
  const LoadResult loaded =
      load("server: {persona_file: /p/my.yaml}", "c.yaml", "name: x\nnmae: y\n");
  ASSERT_FALSE(loaded.problems.empty());
  EXPECT_TRUE(loaded.problems.front().file == "/p/my.yaml");
}

TEST(PersonaSettings, ASettingGoesBeforeThePersonasLimit) {
  const LoadResult loaded = load("server: {login_grace_time: 30s, max_sessions: 3}", "c.yaml");
  EXPECT_EQ(loaded.settings.server.login_grace_time, std::chrono::seconds(30));
  EXPECT_EQ(loaded.settings.server.max_sessions, 3U);
}

struct LegacyRow {
  const char* persona;
  const char* hassh;
};
void PrintTo(const LegacyRow& row, std::ostream* out) {
  *out << row.persona;
}
class Legacy : public testing::TestWithParam<LegacyRow> {};

// The price of server.legacy, as docs/personas.md has it.
TEST_P(Legacy, StandsBehindThePersonasOwnAndChangesTheFingerprint) {
  const PersonaFile* file = compiled_persona(GetParam().persona);
  const ssh::Profile own = file->at("", false)->profile;
  const ssh::Profile with = file->at("", true)->profile;
  ASSERT_GT(with.ciphers.size(), own.ciphers.size());
  EXPECT_TRUE(std::equal(own.ciphers.begin(), own.ciphers.end(), with.ciphers.begin()));
  EXPECT_EQ(with.ciphers.back(), "3des-cbc");
  EXPECT_EQ(with.macs, own.macs);
  EXPECT_EQ(with.kex.back(), own.kex.back());  // the pseudo-algorithms stay last
  EXPECT_EQ(with.kex.size(), own.kex.size() + 3);
  EXPECT_EQ(with.host_key_algorithms, (ssh::NameList{"rsa-sha2-512", "rsa-sha2-256", "ssh-rsa",
                                                     "ecdsa-sha2-nistp256", "ssh-ed25519"}));
  EXPECT_NE(hassh_server(with), hassh_server(own));
  EXPECT_EQ(hassh_server(with), GetParam().hassh);
}

INSTANTIATE_TEST_SUITE_P(
    Table, Legacy,
    testing::Values(LegacyRow{"debian-12", "560c8dad6b45420ccdf05d89749c1725"},
                    LegacyRow{"debian-11", "646198913e853fe964cd83df67bbd6ab"},
                    LegacyRow{"ubuntu-20.04", "646198913e853fe964cd83df67bbd6ab"},
                    LegacyRow{"ubuntu-22.04", "b0df7cdc02a2c6c4876ceff2c2a48869"},
                    LegacyRow{"ubuntu-24.04", "d3996fc4e1c166207ecd73df8f3c0db8"}));

}  // namespace
}  // namespace sandtrap::config
