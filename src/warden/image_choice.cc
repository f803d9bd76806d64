#include "warden/image_choice.h"

#include <algorithm>
#include <numeric>

#include "base/glob.h"

namespace sandtrap::warden {

ImageChoice::ImageChoice(const std::vector<config::PoolImage>& images) {
  for (const config::PoolImage& settings : images) {
    if (images_.size() == config::kMaxPoolImages) break;
    Image image{settings, {}};
    for (const std::string& text : settings.sources) {
      if (const auto network = config::parse_network(text)) image.sources.push_back(*network);
    }
    images_.push_back(std::move(image));
  }
  if (images_.empty()) images_.push_back({config::PoolImage{"default", "", 1, {}, {}, {}}, {}});
}

bool ImageChoice::meets(const Image& image, std::string_view user,
                        std::string_view source_ip) const {
  const config::PoolImage& wanted = image.settings;
  const auto glob = [&](const std::string& one) { return base::glob_match(one, user); };
  if (!wanted.users.empty() && std::none_of(wanted.users.begin(), wanted.users.end(), glob)) {
    return false;
  }
  if (wanted.sources.empty()) return true;
  const auto address = config::parse_address(source_ip);
  const auto holds = [&](const config::Network& one) { return one.contains(*address); };
  return address && std::any_of(image.sources.begin(), image.sources.end(), holds);
}

ImageWish ImageChoice::wish(std::string_view user, std::string_view source_ip,
                            std::uint32_t lot) const {
  ImageSet open = 0;
  std::uint64_t weights = 0;
  for (std::size_t i = 0; i < images_.size(); ++i) {
    if (images_[i].open()) {
      open |= ImageSet{1} << i;
      weights += images_[i].settings.weight;
    } else if (meets(images_[i], user, source_ip)) {
      return {ImageSet{1} << i, i};
    }
  }
  if (open == 0) return {kAnyImage, 0};  // nobody's: better than no machine
  std::uint64_t rest = lot % std::max<std::uint64_t>(weights, 1);
  for (std::size_t i = 0; i < images_.size(); ++i) {
    if (!images_[i].open()) continue;
    if (rest < images_[i].settings.weight) return {open, i};
    rest -= images_[i].settings.weight;
  }
  return {open, 0};
}

std::vector<std::uint32_t> ImageChoice::shares(std::uint32_t total) const {
  std::vector<std::uint32_t> out(images_.size());
  std::uint64_t weights = 0;
  for (const Image& image : images_) weights += image.settings.weight;
  weights = std::max<std::uint64_t>(weights, 1);
  std::vector<std::pair<std::uint64_t, std::size_t>> remainders;
  std::uint32_t given = 0;
  for (std::size_t i = 0; i < images_.size(); ++i) {
    const std::uint64_t part = std::uint64_t{total} * images_[i].settings.weight;
    out[i] = static_cast<std::uint32_t>(part / weights);
    given += out[i];
    remainders.emplace_back(part % weights, i);
  }
  std::stable_sort(remainders.begin(), remainders.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  for (const auto& [remainder, i] : remainders) {
    if (given == total) break;
    ++out[i];
    ++given;
  }
  if (total < out.size()) return out;
  for (std::uint32_t& share : out) {
    if (share > 0) continue;
    --*std::max_element(out.begin(), out.end());
    share = 1;
  }
  return out;
}

std::optional<std::size_t> next_image(const std::vector<ImageStock>& stock,
                                      const std::vector<ImageWish>& waiting) {
  std::vector<std::uint32_t> coming;
  for (const ImageStock& one : stock) coming.push_back(one.starting);
  for (const ImageWish& wish : waiting) {
    std::optional<std::size_t> start;
    bool served = false;
    for (std::size_t n = 0; n < stock.size() && !served; ++n) {
      const std::size_t i = (wish.first + n) % stock.size();
      if (!accepts(wish, i)) continue;
      if (coming[i] > 0) {
        --coming[i];
        served = true;
      } else if (!stock[i].blocked && !start) {
        start = i;
      }
    }
    if (!served && start) return start;
  }
  std::optional<std::size_t> poorest;
  std::uint32_t most = 0;
  for (std::size_t i = 0; i < stock.size(); ++i) {
    const std::uint32_t have = stock[i].warm + coming[i];
    if (stock[i].blocked || have >= stock[i].share || stock[i].share - have <= most) continue;
    most = stock[i].share - have;
    poorest = i;
  }
  return poorest;
}

}  // namespace sandtrap::warden
