// Which guest image an attacker gets, and how the warm sandboxes are shared out between images.
// Pure; values.
//
// The first image with a condition that the attacker meets is his. For everybody else one of those
// without conditions is drawn by weight; where no such image has a warm sandbox the others of them
// do as well, since nothing ties him to one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/network.h"
#include "config/settings.h"

namespace sandtrap::warden {

// Bit i: image i will do.
using ImageSet = std::uint32_t;
inline constexpr ImageSet kAnyImage = ~ImageSet{0};

struct ImageWish {
  ImageSet acceptable = kAnyImage;
  std::size_t first = 0;  // the one to take if there is a choice
};

inline bool accepts(const ImageWish& wish, std::size_t image) {
  return wish.acceptable == kAnyImage || (image < 32 && (wish.acceptable >> image & 1U) != 0);
}

class ImageChoice {
 public:
  // Without images there is one, the engine's own.
  explicit ImageChoice(const std::vector<config::PoolImage>& images);

  std::size_t size() const { return images_.size(); }
  const config::PoolImage& image(std::size_t index) const { return images_[index].settings; }
  // `lot`: any number, drawn for this attacker.
  ImageWish wish(std::string_view user, std::string_view source_ip, std::uint32_t lot) const;
  // Splits `total` by weight (largest remainder); each image has at least one while that is enough
  // for all.
  std::vector<std::uint32_t> shares(std::uint32_t total) const;

 private:
  struct Image {
    config::PoolImage settings;
    std::vector<config::Network> sources;
    bool open() const { return settings.users.empty() && settings.sources.empty(); }
  };
  bool meets(const Image& image, std::string_view user, std::string_view source_ip) const;

  std::vector<Image> images_;
};

// What there is of an image.
struct ImageStock {
  std::uint32_t share = 0, warm = 0, starting = 0;
  bool blocked = false;  // its starts fail at the moment
};
// The image that is to be started next: first for those who wait, in their order, then the one
// that lacks most of its share. nullopt: nothing is missing.
std::optional<std::size_t> next_image(const std::vector<ImageStock>& stock,
                                      const std::vector<ImageWish>& waiting);

}  // namespace sandtrap::warden
