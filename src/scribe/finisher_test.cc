#include "scribe/finisher.h"

#include <fcntl.h>
#include <unistd.h>

#include "record/decoder.h"
#include "scribe/folder_for_test.h"

namespace sandtrap::scribe {
namespace {

class FinisherTest : public FolderTest {
 protected:
  base::Fd file(const std::string& name, const std::string& text) const {
    std::ofstream(dir_ + "/" + name, std::ios::binary) << text;
    return base::Fd(::open((dir_ + "/" + name).c_str(), O_RDWR | O_CLOEXEC));
  }
};

TEST_F(FinisherTest, SumsAreSha256) {  // FIPS 180-4's example, and the empty message
  const auto abc = sum_file(file("a", "abc").get());
  ASSERT_TRUE(abc.has_value());
  EXPECT_EQ(abc->size, 3U);
  EXPECT_EQ(abc->sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sum_file(file("b", "").get())->sha256,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_F(FinisherTest, CutsTheTornLineAndSumsWhatIsLeft) {
  const RecordingFiles files{file("x.cast", "{\"version\": 2}\n[0.1, \"o"), file("x.bin", "abc")};
  const auto done = finish_files(files, {});
  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(content(dir_ + "/x.cast"), "{\"version\": 2}\n");
  EXPECT_EQ(done->cast.size, 15U);
  ASSERT_TRUE(done->sidecar.has_value());
  EXPECT_EQ(done->sidecar->size, 3U);
}

TEST_F(FinisherTest, ARecordingWithoutHeaderGetsOne) {
  const RecordingFiles files{file("x.cast", "{\"vers"), file("x.bin", "")};
  Origin origin;
  origin.session = "0123456789ab";
  const auto done = finish_files(files, origin);
  ASSERT_TRUE(done.has_value());
  EXPECT_FALSE(done->sidecar.has_value());
  const auto decoded = record::decode(content(dir_ + "/x.cast"), {});
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->session, "0123456789ab");
  EXPECT_TRUE(decoded->events.empty());
}

}  // namespace
}  // namespace sandtrap::scribe
