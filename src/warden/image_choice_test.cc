#include "warden/image_choice.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <numeric>

#include "warden/pool.h"

namespace sandtrap::warden {
namespace {

std::vector<config::PoolImage> three() {
  return {{"db", "/db", 1, {"postgres", "mysql*"}, {}, {}},
          {"lab", "/lab", 2, {}, {"192.0.2.0/24"}, {}},
          {"web", "/web", 3, {}, {}, {}},
          {"old", "/old", 1, {}, {}, {}}};
}

TEST(ImageChoice, TheFirstWhoseConditionsAreMetIsHis) {
  const ImageChoice choice(three());
  EXPECT_EQ(choice.wish("postgres", "198.51.100.1", 0).acceptable, 1U);
  EXPECT_EQ(choice.wish("mysql2", "192.0.2.1", 0).first, 0U);
  EXPECT_EQ(choice.wish("root", "192.0.2.1", 0).acceptable, 2U);
}

TEST(ImageChoice, AnImageOfOtherPersonasIsNotThere) {
  config::Settings settings;
  settings.server.persona = "ubuntu-22.04";
  settings.container_pool.images = three();
  settings.container_pool.images[0].personas = {"debian-*"};
  settings.container_pool.images[2].personas = {"debian-12", "ubuntu-*"};
  const ImageChoice choice(pool_settings(settings).images);
  ASSERT_EQ(choice.size(), 3U);
  EXPECT_EQ(choice.image(0).name, "lab");
  EXPECT_EQ(choice.image(1).name, "web");
}

TEST(ImageChoice, OthersDrawByWeightAmongTheOpenOnes) {
  const ImageChoice choice(three());
  std::vector<int> drawn(4);
  for (std::uint32_t lot = 0; lot < 400; ++lot) {
    const ImageWish wish = choice.wish("root", "198.51.100.1", lot);
    EXPECT_EQ(wish.acceptable, 0b1100U);
    ++drawn[wish.first];
  }
  EXPECT_EQ(drawn, (std::vector<int>{0, 0, 300, 100}));
}

TEST(ImageChoice, WithoutImagesThereIsTheEnginesOwn) {
  const ImageChoice choice({});
  EXPECT_EQ(choice.size(), 1U);
  EXPECT_EQ(choice.image(0).image, "");
  EXPECT_EQ(choice.wish("root", "", 7).acceptable, 1U);
  EXPECT_EQ(choice.shares(3), std::vector<std::uint32_t>{3});
}

TEST(ImageChoice, WhoFitsNoImageGetsAny) {
  const ImageChoice choice({{"db", "/db", 1, {"postgres"}, {}, {}}});
  EXPECT_EQ(choice.wish("root", "192.0.2.1", 0).acceptable, kAnyImage);
}

TEST(ImageChoice, SharesFollowTheWeights) {
  const ImageChoice choice(three());
  EXPECT_EQ(choice.shares(0), (std::vector<std::uint32_t>{0, 0, 0, 0}));
  EXPECT_EQ(choice.shares(4), (std::vector<std::uint32_t>{1, 1, 1, 1}));
  EXPECT_EQ(choice.shares(11), (std::vector<std::uint32_t>{2, 3, 5, 1}));
}

TEST(ImageChoiceProperty, SharesAddUp) {
  EXPECT_TRUE(rc::check([] {
    std::vector<config::PoolImage> images;
    const int count = *rc::gen::inRange(1, 17);
    for (int i = 0; i < count; ++i) {
      images.push_back({"x", "", *rc::gen::inRange(1U, 1001U), {}, {}, {}});
    }
    const std::uint32_t total = *rc::gen::inRange(0U, 1000U);
    const auto shares = ImageChoice(images).shares(total);
    RC_ASSERT(std::accumulate(shares.begin(), shares.end(), 0U) == total);
    for (const std::uint32_t share : shares) {
      RC_ASSERT(total < images.size() || share >= 1U);
    }
  }));
}

TEST(NextImage, ThoseWhoWaitComeFirstThenTheGreatestLack) {
  const ImageWish first{1, 0}, second{2, 1}, any{kAnyImage, 0};
  EXPECT_EQ(next_image({{1, 1, 0, false}, {1, 0, 0, false}}, {}), 1U);
  EXPECT_EQ(next_image({{1, 1, 0, false}, {1, 0, 0, false}}, {first}), 0U);
  // One is on the way for the first who waits: then the second.
  EXPECT_EQ(next_image({{0, 0, 1, false}, {0, 0, 0, false}}, {first, second}), 1U);
  EXPECT_EQ(next_image({{0, 0, 1, false}, {0, 0, 1, false}}, {first, second}), std::nullopt);
  // What is on the way for them is not there for the share.
  EXPECT_EQ(next_image({{1, 0, 1, false}}, {first}), 0U);
  EXPECT_EQ(next_image({{0, 0, 0, true}, {0, 0, 0, false}}, {any}), 1U);
  EXPECT_EQ(next_image({{3, 0, 0, true}, {1, 0, 0, false}}, {}), 1U);
  EXPECT_EQ(next_image({{3, 0, 0, true}, {1, 1, 0, false}}, {first}), std::nullopt);
}

}  // namespace
}  // namespace sandtrap::warden
