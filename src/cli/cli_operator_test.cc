// sessions, replay, doctor, completion and the help, as an operator runs them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/help_colours.h"

namespace sandtrap::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct Outcome {
  int status = -1;
  std::string out, err;
};

class OperatorCli : public testing::Test {
 protected:
  OperatorCli() {
    char folder[] = "/tmp/sandtrap-cli-XXXXXX";
    folder_ = ::mkdtemp(folder);
    std::filesystem::create_directories(folder_ + "/data/logs");
    write("c.yaml", "data_dir: data\nserver: {listen: [\"127.0.0.1:2299\"]}\n");
  }
  ~OperatorCli() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << text;
  }
  std::string read(const std::string& name) const {
    std::ifstream file(folder_ + "/" + name, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  int shell(const std::string& command) const {
    const int status = std::system(fmt::format("cd {} && {{ {}; }}", folder_, command).c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  Outcome run(const std::string& arguments, const std::string& before = "") const {
    const int status =
        shell(fmt::format("{} {} {} >out 2>err </dev/null", before, SANDTRAP_BINARY, arguments));
    return {status, read("out"), read("err")};
  }
  // With a terminal of its own, as script(1) makes one.
  std::string on_terminal(const std::string& arguments, const std::string& environment) const {
    shell(fmt::format("{} script -qec '{} {}' /dev/null >out </dev/null", environment,
                      SANDTRAP_BINARY, arguments));
    return read("out");
  }

  std::string folder_;
};

std::string event(const std::string& session, const std::string& name, const std::string& fields) {
  return fmt::format(
      "{{\"time\":\"2026-11-21T23:01:45.000000Z\",\"event\":\"{}\",\"session\":\"{}\","
      "\"case\":\"2f1d34dd86a1\",\"source_ip\":\"192.0.2.7\"{}{}}}\n",
      name, session, fields.empty() ? "" : ",", fields);
}

std::string session(const std::string& id, const std::string& user, const std::string& command) {
  return event(id, "connection.opened", "") +
         event(id, "login.succeeded",
               "\"user\":\"" + user + "\",\"method\":\"password\",\"password\":\"p\"") +
         event(id, "channel.exec", "\"channel\":0,\"command\":\"" + command + "\"") +
         event(id, "connection.closed", "\"reason\":\"x\",\"duration_us\":1500000");
}

TEST_F(OperatorCli, SessionsReadsPlainAndCompressedLogsAndEscapesWhatCameIn) {
  write("old", session("aaaaaaaaaaaa", "root", "id"));
  ASSERT_EQ(shell("gzip -c old > data/logs/events-20261121T000000.000000Z.jsonl.gz"), 0);
  write("data/events.jsonl",
        session("bbbbbbbbbbbb", "\\u001b]0;evil\\u0007", "a\\nb\\u009b6n") +
            event("cccccccccccc", "connection.opened", "") +
            event("cccccccccccc", "login.failed", "\"user\":\"x\",\"method\":\"password\""));
  const Outcome list = run("sessions --config c.yaml");
  EXPECT_EQ(list.status, 0) << list.err;
  EXPECT_THAT(list.out, HasSubstr("aaaaaaaaaaaa"));
  EXPECT_THAT(list.out, HasSubstr("\\x1b]0;evil\\x07/p"));
  EXPECT_THAT(list.out, HasSubstr("a\\x0ab\\xc2\\x9b6n"));
  EXPECT_THAT(list.out, Not(HasSubstr("cccccccccccc"))) << "nobody logged in";
  EXPECT_EQ(list.out.find_first_of("\x1b\x07\x7f"), std::string::npos);
  EXPECT_EQ(std::count(list.out.begin(), list.out.end(), '\n'), 3);

  const Outcome json = run("sessions --config c.yaml --json --all");
  const auto all = boost::json::parse(json.out).as_array();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[1].at("user").as_string(), "\x1b]0;evil\x07");
  EXPECT_EQ(all[1].at("programs").at(0).at("command").as_string(),
            "a\nb\xc2\x9b"
            "6n");
  EXPECT_TRUE(all[2].at("closed").is_null());
  EXPECT_EQ(json.out.find_first_of("\x1b\x07\x7f\xc2"), std::string::npos);

  EXPECT_THAT(run("sessions --config c.yaml --user root").out, Not(HasSubstr("bbbbbbbbbbbb")));
  EXPECT_EQ(run("sessions --config c.yaml --source 198. --json").out, "[\n]\n");
  EXPECT_EQ(run("sessions --config c.yaml --since yesterday").status, 2);
}

TEST_F(OperatorCli, SessionsSaysWhichFileIsDamaged) {
  write("data/logs/events-20261121T000000.000000Z.jsonl.gz",
        std::string("\x1f\x8b\x08\x00garbage", 11));
  write("data/events.jsonl", session("bbbbbbbbbbbb", "root", "id"));
  const Outcome list = run("sessions --config c.yaml");
  EXPECT_EQ(list.status, 1);
  EXPECT_THAT(list.out, HasSubstr("bbbbbbbbbbbb"));
  EXPECT_THAT(list.err, HasSubstr("events-20261121T000000.000000Z.jsonl.gz"));
}

constexpr char kHeader[] =
    "{\"version\":2,\"width\":80,\"height\":24,\"timestamp\":1795302105,\"sandtrap\":{\"kind\":"
    "\"shell\",\"pty\":true}}\n";

TEST_F(OperatorCli, ReplayShowsTheSessionWithoutWhatATerminalWouldActUpon) {
  write("x.cast",
        std::string(kHeader) +
            "[0.100000, \"o\", \"\\u001b[31mred\\u001b[0m \\u001b]52;c;ZXZpbA==\\u0007\"]\n"
            "[0.200000, \"i\", \"typed\"]\n"
            "[0.300000, \"O\", \"0+5\"]\n"
            "[0.400000, \"r\", \"100x30\"]\n"
            "[9.000000, \"e\", \"\\u001b[6nend\\r\\n\"]\n");
  write("x.bin",
        "\xff"
        "bin\x05");
  const Outcome shown = run("replay x.cast");
  EXPECT_EQ(shown.status, 0) << shown.err;
  EXPECT_EQ(shown.out,
            "\x1b[31mred\x1b[0m \xEF\xBF\xBD"
            "binend\r\n");
  EXPECT_THAT(shown.err, HasSubstr("3 control sequences were not shown"));
  EXPECT_THAT(run("replay --input x.cast").out, HasSubstr("\x1b[7mtyped\x1b[27m"));
  // With a terminal: its pace, the longest pause cut; and the terminal put back at the end.
  const std::string played = on_terminal("replay --idle-limit 100ms x.cast", "TERM=xterm");
  EXPECT_THAT(played, HasSubstr("binend\r\n\x1b[?1049l"));
  EXPECT_THAT(played, Not(HasSubstr("\x1b]52")));
  EXPECT_THAT(played, Not(HasSubstr("\x1b[6n")));
}

TEST_F(OperatorCli, ReplayRefusesWhatIsNoRecordingAndShowsWhatACrashLeft) {
  write("torn.cast", std::string(kHeader) + "[0.1, \"o\", \"whole\"]\n[0.2, \"o\", \"hal");
  const Outcome torn = run("replay torn.cast");
  EXPECT_EQ(torn.status, 0);
  EXPECT_EQ(torn.out, "whole");
  EXPECT_THAT(torn.err, HasSubstr("cut off"));
  write("bad.cast", std::string(kHeader) + "[0.1, \"O\", \"0+999999\"]\n");
  write("other", "hello\n");
  for (const char* file : {"bad.cast", "other", "missing.cast", "."}) {
    const Outcome bad = run(fmt::format("replay {}", file));
    EXPECT_EQ(bad.status, 1) << file;
    EXPECT_THAT(bad.out, IsEmpty()) << file;
    EXPECT_THAT(bad.err, HasSubstr(file));
  }
  EXPECT_EQ(run("replay --speed 0 torn.cast").status, 2);
  EXPECT_EQ(run("replay --idle-limit soon torn.cast").status, 2);
}

TEST_F(OperatorCli, DoctorSaysWhatPreventsARunAndHowToMendIt) {
  write("bad.yaml",
        "data_dir: data\nserver: {gate_user: nobody-here-1, listen: [\"192.0.2.1:22\"]}\n"
        "container_pool: {engine: docker}\ndocker: {socket: missing.sock}\n");
  const Outcome bad = run("doctor --config bad.yaml");
  EXPECT_EQ(bad.status, 1);
  EXPECT_THAT(bad.out, HasSubstr("there is no user nobody-here-1"));
  EXPECT_THAT(bad.out, HasSubstr("do: start the Docker Engine"));
  EXPECT_THAT(bad.out, HasSubstr("cannot run on this machine"));
  EXPECT_THAT(bad.out, Not(HasSubstr("\x1b[")));
  const Outcome json = run("doctor --json --config bad.yaml");
  EXPECT_EQ(json.status, 1);
  const auto told = boost::json::parse(json.out).as_object();
  EXPECT_FALSE(told.at("can_run").as_bool());
  std::size_t prevent = 0;
  for (const auto& one : told.at("findings").as_array()) {
    const bool prevents = one.at("level").as_string() == "prevents";
    prevent += prevents ? 1 : 0;
    EXPECT_FALSE(one.at("found").as_string().empty());
    EXPECT_TRUE(!prevents || !one.at("todo").as_string().empty());
  }
  EXPECT_GE(prevent, 3U);  // the account, the engine, its image, the port
  // A small disk asked to keep more free than it has.
  write("full.yaml", "data_dir: data\ndisk: {min_free_bytes: 1024TiB}\n");
  EXPECT_THAT(run("doctor --config full.yaml").out, HasSubstr("less than disk.min_free_bytes"));
}

TEST_F(OperatorCli, CompletionOffersWhatTheHelpShows) {
  const auto complete = [this](const std::string& words, int at) {
    write("ask",
          fmt::format("source <({} completion bash)\nCOMP_WORDS=(sandtrap {})\nCOMP_CWORD={}\n"
                      "_sandtrap\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
                      SANDTRAP_BINARY, words, at));
    EXPECT_EQ(shell("bash ask >out 2>err"), 0);
    EXPECT_THAT(read("err"), IsEmpty());
    return read("out");
  };
  const std::string commands = complete("''", 1);
  for (const char* name : {"serve", "check", "sessions", "replay", "doctor", "verify", "image",
                           "--help", "--version"}) {
    EXPECT_THAT(commands, HasSubstr(std::string(name) + "\n")) << name;
    EXPECT_THAT(run("--help").out, HasSubstr(name));
  }
  EXPECT_THAT(commands, Not(HasSubstr("config-doc")));  // hidden
  EXPECT_EQ(complete("se", 1), "serve\nsessions\n");
  EXPECT_EQ(complete("serve --role ''", 3), "gate\nwarden\nscribe\n");
  EXPECT_THAT(complete("image ''", 2), HasSubstr("build\n"));
  EXPECT_EQ(complete("completion f", 2), "fish\n");
  EXPECT_THAT(complete("check c.y", 2), HasSubstr("c.yaml\n"));
  EXPECT_THAT(complete("sessions --json --config c.y", 4), HasSubstr("c.yaml\n"));
  EXPECT_EQ(run("completion tcsh").status, 2);
  for (const char* shell_name : {"zsh", "fish"}) {
    const std::string script = run(fmt::format("completion {}", shell_name)).out;
    for (const char* word : {"sessions", "--idle-limit", "warden", "doctor"}) {
      const std::string_view wanted =
          std::string_view(word).starts_with("--") && std::string_view(shell_name) == "fish"
              ? std::string_view(word).substr(2)
              : std::string_view(word);
      EXPECT_THAT(script, HasSubstr(std::string(wanted))) << shell_name;
    }
  }
}

// By the shells themselves (tools/install-deps test).
TEST_F(OperatorCli, ZshAndFishReadTheirCompletionsAndOfferTheSame) {
  for (const char* name : {"zsh", "fish"}) {
    if (shell(fmt::format("command -v {} >out", name)) != 0) {
      GTEST_SKIP() << name << " is not installed (tools/install-deps test)";
    }
    write(fmt::format("script.{}", name), run(fmt::format("completion {}", name)).out);
    EXPECT_EQ(shell(fmt::format("{} -n script.{} 2>err", name, name)), 0) << read("err");
  }
  ASSERT_EQ(shell("fish --no-execute script.fish 2>err"), 0) << read("err");
  const auto fish = [this](const std::string& line) {
    EXPECT_EQ(shell(fmt::format("HOME=$PWD XDG_CONFIG_HOME=$PWD XDG_DATA_HOME=$PWD fish "
                                "--no-config -c 'source script.fish; complete -C \"{}\"' | "
                                "cut -f1 | tr \"\\n\" \" \" >out 2>err",
                                line)),
              0);
    EXPECT_THAT(read("err"), IsEmpty());
    return read("out");
  };
  EXPECT_EQ(fish("sandtrap se"), "serve sessions ");
  EXPECT_EQ(fish("sandtrap serve --role "), "gate scribe warden ");
  EXPECT_EQ(fish("sandtrap policy test --js"), "--json ");
  // zsh: as its completion system calls the function, with what it would be offered printed.
  const auto zsh = [this](const std::string& words, int at) {
    write("ask", fmt::format("compdef() {{ }}\ncompadd() {{ shift; print -r -- $@ }}\n"
                             "_files() {{ print FILES }}\n"
                             "_describe() {{ local i; for i in ${{(P)2}}; do print -r -- "
                             "${{i%%:*}}; done }}\n"
                             "source ./script.zsh\nwords=(sandtrap {})\nCURRENT={}\n_sandtrap\n",
                             words, at));
    EXPECT_EQ(shell("zsh -f ask >out 2>err"), 0) << read("err");
    EXPECT_THAT(read("err"), IsEmpty());
    return read("out");
  };
  EXPECT_EQ(zsh("serve --role ''", 4), "gate warden scribe\n");
  EXPECT_THAT(zsh("''", 2), HasSubstr("serve\nlisten\ncheck\n"));
  EXPECT_THAT(zsh("policy test ''", 4), HasSubstr("--json\n"));
  EXPECT_EQ(zsh("check --config ''", 4), zsh("check ''", 3)) << "check has no --config";
  EXPECT_THAT(zsh("check ''", 3), HasSubstr("FILES\n"));
}

TEST_F(OperatorCli, HelpHasColoursOnATerminalOnlyAndNotWithNoColor) {
  EXPECT_THAT(run("--help").out, Not(HasSubstr("\x1b[")));
  EXPECT_THAT(on_terminal("--help", "TERM=xterm NO_COLOR="), HasSubstr("\x1b[36mserve\x1b[0m"));
  EXPECT_THAT(on_terminal("--help", "TERM=xterm NO_COLOR=1"), Not(HasSubstr("\x1b[")));
  EXPECT_THAT(on_terminal("--help", "TERM=dumb"), Not(HasSubstr("\x1b[")));
}

TEST(HelpColours, TakeNothingAway) {
  const std::string text =
      "An SSH honeypot: every byte is kept.\nUsage: sandtrap [OPTIONS]\n\nOptions:\n"
      "  -h,--help                   Print\n  --only\n                              "
      "more\n\nExamples:\n"
      "  sandtrap check FILE\n";
  std::string plain = coloured_help(text);
  for (const char* code : {"\x1b[1m", "\x1b[36m", "\x1b[0m"}) {
    for (std::size_t at = 0; (at = plain.find(code)) != std::string::npos;) {
      plain.erase(at, std::string_view(code).size());
    }
  }
  EXPECT_EQ(plain, text);
  EXPECT_THAT(coloured_help(text), HasSubstr("  \x1b[36m-h,--help\x1b[0m     "));
  EXPECT_THAT(coloured_help(text), HasSubstr("\n  sandtrap check FILE\n"));
}

}  // namespace
}  // namespace sandtrap::cli
