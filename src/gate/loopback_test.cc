#include "gate/loopback.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "base/entropy.h"
#include "config/persona.h"

namespace sandtrap::gate {
namespace {

class LoopbackTest : public ::testing::Test {
 protected:
  LoopbackTest() {
    auto persona = std::make_shared<Persona>();
    persona->profile = config::compiled_persona("debian-12")->at("", false)->profile;
    persona->host_keys.push_back({"ssh-ed25519", base::Bytes(51, 1)});
    Loopback::Owner owner;
    owner.output = [this](base::ByteView data) {
      const std::size_t taken = std::min(room_, data.size());
      out_ += base::as_text(data.first(taken));
      return taken;
    };
    owner.ended = [this] { ++ended_; };
    owner.sign = [](const ssh::SignNeeded&) {};
    owner.refused = [](const ssh::AuthAttempt&) {};
    loopback_ = std::make_unique<Loopback>(std::move(persona), entropy_, std::move(owner));
    loopback_->turn();
  }

  std::size_t room_ = 1 << 20;
  std::string out_;
  int ended_ = 0;
  base::SystemEntropy entropy_;
  std::unique_ptr<Loopback> loopback_;
};

TEST_F(LoopbackTest, SpeaksAsTheServerOutsideDoes) {
  EXPECT_TRUE(out_.starts_with("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n"));
  loopback_->input(base::as_bytes("GET / HTTP/1.1\r\n"));
  EXPECT_TRUE(out_.ends_with("Invalid SSH identification string.\r\n"));
  EXPECT_EQ(ended_, 1);
}

// Each packet is answered by UNIMPLEMENTED; who opens no window for the answers must not fill our
// memory with them.
TEST_F(LoopbackTest, AClientThatSendsAndNeverReadsIsLetGo) {
  room_ = 0;
  loopback_->input(base::as_bytes("SSH-2.0-x\r\n"));
  const base::Bytes packet = {0, 0, 0, 12, 10, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  base::Bytes many;
  for (int i = 0; i < 1000; ++i) base::append(many, packet);
  for (int i = 0; i < 10; ++i) loopback_->input(many);
  EXPECT_EQ(ended_, 0) << "160 KB wait";
  for (int i = 0; i < 10; ++i) loopback_->input(many);
  EXPECT_EQ(ended_, 1);
  room_ = 1 << 20;
  out_.clear();
  loopback_->turn();
  EXPECT_EQ(out_, "");
}

}  // namespace
}  // namespace sandtrap::gate
