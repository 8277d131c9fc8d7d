#include <cmath>
#include <numbers>

#include "drawn.h"

/// Eight patterns in five palettes: synthetic stand-ins for small colour photographs, 32 x 32, labelled twice. Phase,
/// period, angle, contrast and light are drawn anew for each image, so that no single pixel tells a pattern; palettes
/// are hues of the pattern over a ground of any hue.

namespace wattle::trainer {
namespace {

constexpr std::uint64_t kSeed = 0x74'65'78'74'75'72'65;  // "texture"
constexpr std::int64_t kSide = 32;
constexpr std::array<std::int64_t, 3> kSizes = {8192, 1500, 2000};
constexpr std::uint64_t kPatterns = 8, kPalettes = 5;
constexpr float kPi = std::numbers::pi_v<float>;
constexpr float kNoise = 0.12F;  // of the range, standard deviation

struct Colour {
  float red, green, blue;
};

Colour colour_of(float hue, float light) {
  const auto channel = [hue, light](float offset) {
    return light * (0.55F + 0.45F * std::cos(2 * kPi * (hue - offset)));
  };
  return {channel(0), channel(1 / 3.0F), channel(2 / 3.0F)};
}

float wave(float value) { return 0.5F + 0.5F * std::sin(value); }
float edge(float value) { return 1 / (1 + std::exp(-6 * value)); }

/// How much of the pattern's colour a place has, 0 to 1. (u, v) are pixels from a random middle, turned by a few
/// degrees.
class Pattern {
 public:
  Pattern(std::uint64_t kind, Random& random)
      : kind_(kind),
        rate_(2 * kPi / random.uniform(5, 9)),
        turn_(random.uniform(-0.3F, 0.3F) + (kind == 1   ? kPi / 2
                                             : kind == 2 ? kPi / 4
                                                         : 0)),
        middle_x_(random.uniform(4, 28)),
        middle_y_(random.uniform(4, 28)) {
    for (float& phase : phases_) {
      phase = random.uniform(0, 2 * kPi);
    }
  }

  [[nodiscard]] float at(float x, float y) const {
    const float dx = x - middle_x_, dy = y - middle_y_;
    const float u = dx * std::cos(turn_) + dy * std::sin(turn_), v = dy * std::cos(turn_) - dx * std::sin(turn_);
    const float along = std::sin(rate_ * u + phases_[0]), across = std::sin(rate_ * v + phases_[1]);
    switch (kind_) {
      case 3:
        return edge(along * across * 2);  // checks
      case 4:
        return edge((along + across - 0.8F) * 2);  // dots
      case 5:
        return wave(rate_ * std::sqrt(dx * dx + dy * dy) + phases_[0]);  // rings
      case 6:                                                            // a zigzag: stripes that are bent
        return wave(rate_ * u + 2 * std::asin(0.99F * across) + phases_[0]);
      case 7:  // clouds
        return edge(std::sin(0.31F * x + 0.23F * y + phases_[0]) + std::sin(0.29F * y - 0.37F * x + phases_[1]) +
                    std::sin(0.53F * x + phases_[2]) * std::sin(0.47F * y + phases_[3]));
      default:
        return wave(rate_ * u + phases_[0]);  // stripes: upright, lying, slanting
    }
  }

 private:
  std::uint64_t kind_;
  float rate_, turn_, middle_x_, middle_y_;
  std::array<float, 4> phases_{};
};

DrawnLabels draw_texture(Random& random, std::uint8_t* pixels) {
  const std::uint64_t kind = random.below(kPatterns), palette = random.below(kPalettes);
  const Pattern pattern(kind, random);
  const float hue = (static_cast<float>(palette) + random.uniform(-0.3F, 0.3F)) / static_cast<float>(kPalettes);
  const Colour front = colour_of(hue, random.uniform(0.5F, 1)),
               back = colour_of(random.uniform(), random.uniform(0.3F, 0.9F));
  const float contrast = random.uniform(0.45F, 1), tilt = random.uniform(-0.006F, 0.006F);
  for (std::int64_t row = 0; row < kSide; ++row) {
    for (std::int64_t column = 0; column < kSide; ++column) {
      const auto x = static_cast<float>(column), y = static_cast<float>(row);
      const float part = contrast * pattern.at(x, y), light = 1 + tilt * (x + y - kSide);
      const float grain = kNoise * (random.uniform() + random.uniform() + random.uniform() - 1.5F) * 2;
      const float values[] = {back.red + part * (front.red - back.red), back.green + part * (front.green - back.green),
                              back.blue + part * (front.blue - back.blue)};
      for (const float value : values) {
        *pixels++ = static_cast<std::uint8_t>(std::clamp(255 * (value * light + grain), 0.0F, 255.0F));
      }
    }
  }
  return {static_cast<std::int64_t>(kind), static_cast<std::int64_t>(palette)};
}

}  // namespace

Result<Dataset> load_textures(const DatasetRequest& request) {
  auto dataset = draw_dataset(kSeed, {3, kSide, kSide}, kSizes, 2, request, &draw_texture);
  if (dataset) {
    dataset->classes = {"lying", "upright", "slanting", "checks", "dots", "rings", "zigzag", "clouds"};
    dataset->second_classes = {"red", "yellow", "green", "blue", "violet"};
  }
  return dataset;
}

}  // namespace wattle::trainer
