#include "sandbox/cpu_burst.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace sandtrap::sandbox {
namespace {

namespace fs = std::filesystem;

class CpuBurst : public ::testing::Test {
 protected:
  CpuBurst() : root_(fs::temp_directory_path() / ("burst-" + std::to_string(::getpid()))) {}
  ~CpuBurst() override { fs::remove_all(root_); }

  void put(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  std::string get(const std::string& path) {
    std::ifstream file(root_ / path);
    std::string text;
    std::getline(file, text);
    return text;
  }

  fs::path root_;
};

TEST_F(CpuBurst, IsTheQuotaOfV1) {
  put("cpu,cpuacct/st-1/a/cpu.cfs_quota_us", "50000\n");
  put("cpu,cpuacct/st-1/a/cpu.cfs_burst_us", "0\n");
  ASSERT_TRUE(allow_cpu_burst("9:memory:/st-1/a\n4:cpu,cpuacct:/st-1/a\n0::/elsewhere\n", root_));
  EXPECT_EQ(get("cpu,cpuacct/st-1/a/cpu.cfs_burst_us"), "50000");
}

TEST_F(CpuBurst, IsTheQuotaOfV2) {
  put("system.slice/docker-a.scope/cpu.max", "25000 100000\n");
  put("system.slice/docker-a.scope/cpu.max.burst", "0\n");
  ASSERT_TRUE(allow_cpu_burst("0::/system.slice/docker-a.scope\n", root_));
  EXPECT_EQ(get("system.slice/docker-a.scope/cpu.max.burst"), "25000");
}

TEST_F(CpuBurst, IsNotSetWhereNothingIsLimited) {
  put("a/cpu.max", "max 100000\n");
  put("a/cpu.max.burst", "0\n");
  EXPECT_FALSE(allow_cpu_burst("0::/a\n", root_));
  EXPECT_EQ(get("a/cpu.max.burst"), "0");
}

TEST_F(CpuBurst, AnOlderKernelHasNone) {
  put("a/cpu.max", "50000 100000\n");
  EXPECT_FALSE(allow_cpu_burst("0::/a\n", root_));
  EXPECT_FALSE(fs::exists(root_ / "a/cpu.max.burst"));
  EXPECT_FALSE(allow_cpu_burst("4:cpu:/gone\n", root_));
  EXPECT_FALSE(allow_cpu_burst("nonsense", root_));
}

}  // namespace
}  // namespace sandtrap::sandbox
