#include "gate/moduli_file.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace sandtrap::gate {
namespace {

TEST(ModuliFile, ReadsTheUsableLines) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "moduli";
  std::ofstream(path) << "# comment\n20200101000000 2 6 100 2047 2 " << std::string(512, 'F')
                      << "\nnot a line\n";
  const auto moduli = read_moduli(path);
  std::filesystem::remove(path);
  ASSERT_TRUE(moduli);
  ASSERT_EQ(moduli->size(), 1u);
  EXPECT_EQ(moduli->front().bits, 2048u);
}

TEST(ModuliFile, SaysWhyThereIsNone) {
  const auto missing = read_moduli("/no/such/moduli");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().context.find("/no/such/moduli"), std::string::npos);
  EXPECT_FALSE(read_moduli("/"));
  EXPECT_FALSE(read_moduli("/dev/zero"));
}

}  // namespace
}  // namespace sandtrap::gate
