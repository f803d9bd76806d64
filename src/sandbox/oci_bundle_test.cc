#include "sandbox/oci_bundle.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <set>

#include "sandbox/oci_host.h"
#include "sandbox/oci_sandbox.h"

namespace sandtrap::sandbox {
namespace {

BundleSpec spec() {
  BundleSpec out;
  out.limits.capabilities = {"CHOWN", "KILL"};
  out.limits.memory_bytes = 100 << 20;
  out.limits.cpus = 0.25;
  out.limits.pids = 33;
  out.root = "/mnt";
  out.cgroups_path = "/st-0/1";
  return out;
}

boost::json::value at(const BundleSpec& with, std::string_view pointer) {
  const auto root = boost::json::parse(oci_config(with));
  return root.at_pointer(boost::json::string_view(pointer.data(), pointer.size()));
}

TEST(OciBundle, EveryLimitIsWhereTheRuntimeReadsIt) {
  EXPECT_EQ(at(spec(), "/linux/resources/memory/limit"), 100 << 20);
  EXPECT_EQ(at(spec(), "/linux/resources/memory/swap"), 100 << 20);
  EXPECT_EQ(at(spec(), "/linux/resources/cpu/quota"), 25000);
  EXPECT_EQ(at(spec(), "/linux/resources/cpu/period"), 100000);
  EXPECT_EQ(at(spec(), "/linux/resources/pids/limit"), 33);
  const auto terminals = at(spec(), "/mounts/2");
  EXPECT_EQ(terminals.at("destination"), "/dev/pts");
  EXPECT_EQ(terminals.at("options").as_array().back(), "max=33");
  EXPECT_EQ(at(spec(), "/linux/resources/devices/0/allow"), false);
  EXPECT_EQ(at(spec(), "/process/noNewPrivileges"), true);
  EXPECT_EQ(at(spec(), "/linux/uidMappings/0/hostID"), 200000);
  BundleSpec without_swap = spec();
  without_swap.limit_swap = false;
  EXPECT_FALSE(at(without_swap, "/linux/resources/memory").as_object().contains("swap"));
}

TEST(OciBundle, NothingIsInheritableOrAmbient) {
  const auto capabilities = at(spec(), "/process/capabilities").as_object();
  EXPECT_EQ(capabilities.size(), 3U);
  for (const auto* set : {"bounding", "effective", "permitted"})
    EXPECT_EQ(capabilities.at(set), boost::json::array({"CAP_CHOWN", "CAP_KILL"})) << set;
}

TEST(OciBundle, EveryNamespaceIsItsOwn) {
  std::set<std::string> types;
  const auto namespaces = at(spec(), "/linux/namespaces");
  for (const auto& one : namespaces.as_array()) {
    types.insert(one.at("type").as_string().c_str());
    EXPECT_FALSE(one.as_object().contains("path"));
  }
  EXPECT_EQ(types,
            (std::set<std::string>{"pid", "network", "ipc", "uts", "mount", "user", "cgroup"}));
}

TEST(OciBundle, TheHostnameIsInItsFiles) {
  const auto files = identity_files("srv01");
  ASSERT_EQ(files[0].first, "etc/hostname");
  EXPECT_EQ(files[0].second, "srv01\n");
  EXPECT_NE(files[1].second.find("127.0.1.1\tsrv01\n"), std::string::npos);
}

TEST(OciHost, AnImageForAnotherUserNamespaceIsRefused) {
  namespace fs = std::filesystem;
  char name[] = "/tmp/st-image-XXXXXX";
  ASSERT_NE(::mkdtemp(name), nullptr);
  const std::string folder = name;
  EXPECT_EQ(find_oci_image(folder + "/rootfs", "/", 200000).error().code, base::Errc::kNotFound);
  fs::create_directories(folder + "/rootfs");
  EXPECT_EQ(find_oci_image(folder + "/rootfs", "/", 200000).error().code, base::Errc::kInvalid);
  std::ofstream(folder + "/userns-base") << "200000\n";
  EXPECT_EQ(*find_oci_image(folder + "/rootfs", "/", 200000), folder + "/rootfs");
  EXPECT_EQ(find_oci_image(folder + "/rootfs", "/", 300000).error().code, base::Errc::kInvalid);
  // As an installed tree finds it: beside the program's folder.
  fs::create_directories(folder + "/guest/debian-12/rootfs");
  std::ofstream(folder + "/guest/debian-12/userns-base") << "200000\n";
  fs::create_directories(folder + "/bin");
  EXPECT_EQ(*find_oci_image("", folder + "/bin", 200000), folder + "/guest/debian-12/rootfs");
  fs::remove_all(folder);
}

TEST(OciHost, OnlyOurOwnNamesAreSandboxes) {
  EXPECT_TRUE(valid_sandbox_id("0123456789ab"));
  for (const auto* bad :
       {"", "..", "0123456789a", "0123456789abc", "0123456789AB", "../456789ab", "01234567/9ab"})
    EXPECT_FALSE(valid_sandbox_id(bad)) << bad;
}

}  // namespace
}  // namespace sandtrap::sandbox
