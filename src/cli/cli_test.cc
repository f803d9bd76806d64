// The program as a person runs it: output and exit status.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace sandtrap::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Outcome {
  int status = -1;
  std::string out, err;
};

class Cli : public testing::Test {
 protected:
  Cli() {
    char folder[] = "/tmp/sandtrap-cli-XXXXXX";
    folder_ = ::mkdtemp(folder);
  }
  ~Cli() override { std::filesystem::remove_all(folder_); }

  std::string read(const std::string& name) const {
    std::ifstream file(folder_ + "/" + name);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name) << text;
  }
  Outcome run(const std::string& arguments, const std::string& before = "") const {
    const std::string command = fmt::format("cd {} && {} {} {} >out 2>err </dev/null", folder_,
                                            before, SANDTRAP_BINARY, arguments);
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read("out"), read("err")};
  }

  std::string folder_;
};

TEST_F(Cli, VersionAndHelpGoToStandardOutput) {
  const Outcome version = run("--version");
  EXPECT_EQ(version.status, 0);
  EXPECT_THAT(version.out, testing::MatchesRegex("sandtrap [0-9]+\\.[0-9]+\\.[0-9]+\n"));
  for (const char* command : {"", "serve", "check", "personas", "keygen", "image", "image build"}) {
    const Outcome help = run(fmt::format("{} --help", command));
    EXPECT_EQ(help.status, 0) << command;
    EXPECT_THAT(help.out, HasSubstr("Examples:")) << command;
    EXPECT_THAT(help.out, testing::Not(HasSubstr("config-doc"))) << command;
    EXPECT_THAT(help.err, IsEmpty()) << command;
  }
}

TEST_F(Cli, PersonasAreListedWithBannerAndFingerprint) {
  const Outcome all = run("personas");
  EXPECT_EQ(all.status, 0);
  EXPECT_THAT(all.err, IsEmpty());
  EXPECT_THAT(all.out,
              testing::ContainsRegex("\\* deb12u10 +SSH-2.0-OpenSSH_9.2p1 "
                                     "Debian-2\\+deb12u10 +425d29fe50d8e4f5e37efb6e24bcf660"));
  EXPECT_THAT(all.out, HasSubstr("ubuntu-20.04: Ubuntu 20.04 LTS (focal), OpenSSH 8.2p1\n"));
  EXPECT_THAT(run("personas --legacy").out, HasSubstr("560c8dad6b45420ccdf05d89749c1725"));
}

TEST_F(Cli, APersonaOfOnesOwnIsCheckedWithItsPlace) {
  write("mine.yaml", "name: mine\nnonsense: 1\n");
  const Outcome bad = run("personas mine.yaml");
  EXPECT_EQ(bad.status, 78);
  EXPECT_THAT(bad.out, IsEmpty());
  EXPECT_THAT(bad.err, HasSubstr("mine.yaml:2:1: unknown key \"nonsense\""));
  EXPECT_EQ(run("personas missing.yaml").status, 1);
  write("c.yaml", "server: {persona_file: mine.yaml}\n");
  const Outcome check = run("check c.yaml");
  EXPECT_EQ(check.status, 78);
  EXPECT_THAT(check.err, HasSubstr("/mine.yaml:2:1: unknown key"));
}

TEST_F(Cli, CheckWarnsWhenTheGuestIsAnotherSystem) {
  write("c.yaml", "container_pool: {engine: docker}\nserver: {persona: ubuntu-22.04}\n");
  const Outcome outcome = run("check c.yaml");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.out, HasSubstr("ubuntu-22.04 3ubuntu0.13, hasshServer 41ff3ecd1458b0bf"));
  EXPECT_THAT(outcome.err, HasSubstr("ubuntu-22.04 does not fit the guest, which is debian-12"));
}

TEST_F(Cli, AWrongCommandLineExitsWith2AndOnlyWritesToStandardError) {
  for (const char* bad : {"", "nonsense", "serve --nonsense", "serve --role cook", "check",
                          "check a b", "keygen --dir", "image", "role", "role cook"}) {
    const Outcome outcome = run(bad);
    EXPECT_EQ(outcome.status, 2) << bad;
    EXPECT_THAT(outcome.out, IsEmpty()) << bad;
    EXPECT_THAT(outcome.err, testing::Not(IsEmpty())) << bad;
  }
}

TEST_F(Cli, CheckSaysWhatIsActive) {
  write("good.yaml", "server: {listen: [\"127.0.0.1:2299\"]}\ndata_dir: data\n");
  const Outcome good = run("check good.yaml");
  EXPECT_EQ(good.status, 0);
  EXPECT_THAT(good.out, HasSubstr("127.0.0.1:2299"));
  EXPECT_THAT(good.out, HasSubstr("anyone after 2 failed attempts"));
  EXPECT_THAT(good.out, HasSubstr(folder_ + "/data"));
  EXPECT_THAT(good.err, IsEmpty());
}

TEST_F(Cli, ABadConfigurationExitsWith78AndShowsEveryProblem) {
  write("bad.yaml", "server:\n  gatez: 1\n  gates: 0\n");
  for (const char* command :
       {"check bad.yaml", "serve --config bad.yaml", "keygen --config bad.yaml"}) {
    const Outcome bad = run(command);
    EXPECT_EQ(bad.status, 78) << command;
    EXPECT_THAT(bad.err, HasSubstr("bad.yaml:2:3: unknown key \"gatez\"")) << command;
    EXPECT_THAT(bad.err, HasSubstr("bad.yaml:3:10: server.gates: \"0\"")) << command;
  }
  EXPECT_EQ(run("check missing.yaml").status, 78);
}

TEST_F(Cli, ServeNeedsRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give it up";
  write("good.yaml", "data_dir: data\n");
  ::chmod(folder_.c_str(), 0777);
  const Outcome outcome =
      run("serve --config good.yaml", "setpriv --reuid 65534 --regid 65534 --clear-groups");
  EXPECT_EQ(outcome.status, 77) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("root"));
}

TEST_F(Cli, KeygenMakesThreeKeysAndNeverReplacesOneUnasked) {
  const Outcome made = run("keygen --dir keys");
  ASSERT_EQ(made.status, 0) << made.err;
  for (const char* name : {"ssh_host_rsa_key", "ssh_host_ecdsa_key", "ssh_host_ed25519_key"}) {
    const std::string path = fmt::format("{}/keys/{}", folder_, name);
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0) << path;
    EXPECT_EQ(info.st_mode & 07777, 0600U) << path;
    const std::string derived =
        fmt::format("ssh-keygen -y -f {} | cut -d' ' -f1,2 > {}/derived", path, folder_);
    ASSERT_EQ(std::system(derived.c_str()), 0) << "OpenSSH reads the key";
    EXPECT_THAT(read(fmt::format("keys/{}.pub", name)),
                testing::StartsWith(read("derived").substr(0, 60)));
  }
  const std::string before = read("keys/ssh_host_ed25519_key");
  const Outcome again = run("keygen --dir keys");
  EXPECT_EQ(again.status, 1);
  EXPECT_THAT(again.err, HasSubstr("--force"));
  EXPECT_EQ(read("keys/ssh_host_ed25519_key"), before);
  EXPECT_EQ(run("keygen --dir keys --force").status, 0);
  EXPECT_NE(read("keys/ssh_host_ed25519_key"), before);
}

TEST_F(Cli, CheckTellsScriptsWhatItTellsPeople) {
  write("good.yaml", "server: {listen: [\"127.0.0.1:2299\"]}\ndata_dir: data\n");
  const Outcome good = run("check --json good.yaml");
  EXPECT_EQ(good.status, 0) << good.err;
  const auto told = boost::json::parse(good.out).as_object();
  EXPECT_TRUE(told.at("good").as_bool());
  EXPECT_TRUE(told.at("problems").as_array().empty());
  const auto& settings = told.at("settings").as_object();
  EXPECT_EQ(settings.at("listen").at(0).as_string(), "127.0.0.1:2299");
  EXPECT_EQ(settings.at("accept_after_failures").as_int64(), 2);
  EXPECT_EQ(settings.at("data_dir").as_string(), folder_ + "/data");
  EXPECT_EQ(settings.at("hassh_server").as_string().size(), 32U);

  write("bad.yaml", "server:\n  gatez: 1\n  gates: 0\n");
  const Outcome bad = run("check --json bad.yaml");
  EXPECT_EQ(bad.status, 78);
  EXPECT_THAT(bad.err, HasSubstr("bad.yaml:2:3: unknown key")) << "people still see it";
  const auto wrong = boost::json::parse(bad.out).as_object();
  EXPECT_FALSE(wrong.at("good").as_bool());
  EXPECT_TRUE(wrong.at("settings").is_null());
  ASSERT_EQ(wrong.at("problems").as_array().size(), 2U);
  EXPECT_EQ(wrong.at("problems").at(1).at("line").as_int64(), 3);
  EXPECT_EQ(wrong.at("problems").at(1).at("column").as_int64(), 10);
  EXPECT_THAT(std::string(wrong.at("problems").at(0).at("text").as_string()), HasSubstr("gatez"));

  write("c.yaml", "container_pool: {engine: docker}\nserver: {persona: ubuntu-22.04}\n");
  const auto misfit = boost::json::parse(run("check --json c.yaml").out);
  EXPECT_EQ(misfit.at("warnings").as_array().size(), 1U);
}

TEST_F(Cli, PersonasAndKeysAsJson) {
  const auto all = boost::json::parse(run("personas --json").out).as_array();
  EXPECT_EQ(all.size(), 5U);
  for (const auto& persona : all) {
    int defaults = 0;
    for (const auto& one : persona.at("revisions").as_array()) {
      defaults += one.at("default").as_bool() ? 1 : 0;
      EXPECT_THAT(std::string(one.at("banner").as_string()), testing::StartsWith("SSH-2.0-Open"));
      EXPECT_EQ(one.at("hassh_server").as_string().size(), 32U);
    }
    EXPECT_EQ(defaults, 1) << persona.at("name").as_string();
  }
  write("mine.yaml", "name: mine\nnonsense: 1\n");
  EXPECT_EQ(run("personas --json mine.yaml").status, 78);
  const auto made = boost::json::parse(run("keygen --json --dir keys").out);
  EXPECT_EQ(made.at("keys").as_array().size(), 3U);
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/" + made.at("keys").at(0).as_string().c_str()));
}

TEST_F(Cli, PolicyTestAsJsonDecidesAsItsTableDoes) {
  write("c.yaml", "authentication: {credentials: [{user: root, password: \"x\\u009b\"}]}\n");
  const Outcome refused = run("policy test --config c.yaml --json --tries 2 root wrong");
  EXPECT_EQ(refused.status, 1) << refused.err;
  const auto told = boost::json::parse(refused.out).as_object();
  EXPECT_FALSE(told.at("accepted").as_bool());
  EXPECT_EQ(told.at("tries").as_array().size(), 2U);
  EXPECT_EQ(told.at("decided_by"), told.at("tries").at(1).at("decided_by"));
  EXPECT_FALSE(told.at("why").as_array().empty());
  EXPECT_FALSE(told.at("draws_lots").as_bool());
  const Outcome in = run("policy test --config c.yaml --json root 'x\xc2\x9b'");
  EXPECT_EQ(in.status, 0) << in.out;
  EXPECT_TRUE(boost::json::parse(in.out).at("accepted").as_bool());
  EXPECT_EQ(in.out.find('\xc2'), std::string::npos) << "nothing that a terminal acts upon";
}

TEST_F(Cli, EveryListHasItsJsonAndNothingElseOnStandardOutput) {
  write("c.yaml", "data_dir: data\n");
  ASSERT_TRUE(std::filesystem::create_directories(folder_ + "/data"));
  for (const char* command : {"cleanup --dry-run --keep-bytes 1GiB", "verify --list", "doctor"}) {
    const Outcome outcome = run(fmt::format("{} --config c.yaml --json", command));
    boost::system::error_code error;
    const auto value = boost::json::parse(outcome.out, error);
    EXPECT_FALSE(error) << command << outcome.out << outcome.err;
    EXPECT_TRUE(value.is_object() || value.is_array()) << command;
  }
}

TEST_F(Cli, TheHiddenDocumentCommandPrintsWhatIsCommitted) {
  EXPECT_THAT(run("config-doc").out, HasSubstr("max_startups: \"10:30:100\""));
  EXPECT_THAT(run("config-doc --reference").out, testing::StartsWith("# Configuration"));
}

}  // namespace
}  // namespace sandtrap::cli
