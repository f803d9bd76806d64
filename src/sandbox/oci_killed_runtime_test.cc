// A runtime that dies at its work (killed for want of memory, say) leaves nothing behind. Needs
// root, runc (or crun) and the guest image.
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "sandbox/oci_testing.h"

namespace sandtrap::sandbox {
namespace {

class OciKilledRuntimeNeedsRoot : public testing::OciFixture {};

TEST_F(OciKilledRuntimeNeedsRoot, AContainerThatItDidNotNoteIsEnded) {
  OciOptions options = this->options();
  const std::string id = "00000000a0c1", real = capabilities_.runtime;
  options.runtime = root_ + "/runtime";
  // Its words: --root DIR --log … run --detach …
  std::ofstream(options.runtime) << "#!/bin/sh\n"
                                 << real << " \"$@\" || exit\n"
                                 << "case \" $* \" in *' run --detach '*) rm -rf \"$2/" << id
                                 << "\"; kill -9 $$;; esac\n";
  ::chmod(options.runtime.c_str(), 0755);
  OciEngine engine(options, io_, log_);
  ASSERT_TRUE(testing::run(io_, engine.prepare()));
  EXPECT_FALSE(testing::run(io_, engine.create(id, limits())));
  EXPECT_EQ(testing::leftovers(id), std::vector<std::string>{});
  EXPECT_FALSE(std::filesystem::exists(root_ + "/data/sandboxes/" + id));
}

}  // namespace
}  // namespace sandtrap::sandbox
