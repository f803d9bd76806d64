// container_pool.images: what is accepted, what is refused and exactly where.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/document.h"

namespace sandtrap::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

LoadResult load_images(const std::string& entries) {
  return load("container_pool:\n  images:\n" + entries, "f");
}

TEST(PoolImages, EveryKeyIsReadAndWrittenBack) {
  const LoadResult loaded = load_images(
      "    - {name: db, image: /srv/db, users: [postgres, \"mysql*\"], sources: 192.0.2.0/24}\n"
      "    - {name: plain, weight: 7, personas: \"ubuntu-*\"}\n");
  ASSERT_THAT(loaded.problems, IsEmpty());
  const auto& images = loaded.settings.container_pool.images;
  ASSERT_EQ(images.size(), 2U);
  EXPECT_EQ(images[0].image, "/srv/db");
  EXPECT_THAT(images[0].users, ElementsAre("postgres", "mysql*"));
  EXPECT_THAT(images[0].sources, ElementsAre("192.0.2.0/24"));
  EXPECT_EQ(images[0].weight, 1U);
  EXPECT_EQ(images[1].weight, 7U);
  EXPECT_THAT(images[1].personas, ElementsAre("ubuntu-*"));
  const LoadResult again = load(dump(loaded.settings, Audience::kEveryone), "g");
  EXPECT_THAT(again.problems, IsEmpty());
  EXPECT_EQ(again.settings, loaded.settings);
}

TEST(PoolImages, WhatIsWrongIsNamed) {
  for (const auto& [text, word] : std::vector<std::pair<std::string, std::string>>{
           {"    - {image: /srv/db}\n", "has no name"},
           {"    - {name: a}\n    - {name: a}\n", "came before"},
           {"    - {name: a, weight: 0}\n", "weight"},
           {"    - {name: a, sources: [nowhere]}\n", "sources"},
           {"    - {name: a, colour: red}\n", "colour"},
           {"    - 7\n", "f:3:7"}}) {
    const LoadResult loaded = load_images(text);
    ASSERT_EQ(loaded.problems.size(), 1U) << text;
    EXPECT_THAT(to_string(loaded.problems[0]), HasSubstr(word)) << text;
  }
  std::string many;
  for (int i = 0; i < 17; ++i) many += "    - {name: n" + std::to_string(i) + "}\n";
  EXPECT_EQ(load_images(many).problems.size(), 1U);
}

}  // namespace
}  // namespace sandtrap::config
