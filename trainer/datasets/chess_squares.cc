#include <cmath>
#include <numbers>

#include "drawn.h"

/// A square of a chess board seen at a slant, with a piece on it or without: synthetic stand-ins for the photographs of
/// "Do DL models and training environments have an impact on energy consumption?" (SEAA 2023), 128 x 128 in colour or
/// `image_size`. Pieces of the neighbouring squares stick into the image, and a piece may be lighter or darker than
/// what it stands on, so that neither the light of the whole nor of a pixel tells.

namespace wattle::trainer {
namespace {

constexpr std::uint64_t kSeed = 0x63'68'65'73'73;  // "chess"
constexpr std::int64_t kSide = 128;
constexpr std::array<std::int64_t, 3> kSizes = {2048, 512, 512};
constexpr float kGrain = 10;  // grey levels

struct Colour {
  float red, green, blue;
};

Colour operator*(Colour colour, float factor) {
  return {colour.red * factor, colour.green * factor, colour.blue * factor};
}

/// Pixels in the units of a square of side 1.
class Scene {
 public:
  Scene(std::int64_t side, Random& random) : side_(side), pixels_(static_cast<std::size_t>(side * side)) {
    const bool light = random.below(2) == 0;
    const float warmth = random.uniform(0.75F, 1);
    const auto square = [&](bool bright) {
      return Colour{1, 0.85F * warmth + 0.1F, 0.7F * warmth} *
             (bright ? random.uniform(150, 225) : random.uniform(50, 110));
    };
    const Colour own = square(light), other = square(!light);
    const float slant = random.uniform(-0.25F, 0.25F), border = random.uniform(0.06F, 0.16F);
    const float tilt_x = random.uniform(-0.3F, 0.3F), tilt_y = random.uniform(-0.3F, 0.3F);
    for (std::int64_t index = 0; index < side * side; ++index) {
      const float x = place(index % side), y = place(index / side);
      const float bent = x + slant * (y - 0.5F);
      const int over =
          (bent < border ? 1 : 0) + (bent > 1 - border ? 1 : 0) + (y < border ? 1 : 0) + (y > 1 - border ? 1 : 0);
      pixels_[static_cast<std::size_t>(index)] =
          (over % 2 == 1 ? other : own) * (1 + tilt_x * (x - 0.5F) + tilt_y * (y - 0.5F));
    }
  }

  /// A piece whose foot stands at (x, y): foot, body and head, round and shaded from one side, with its shadow.
  void add_piece(float x, float y, Random& random) {
    const Colour colour =
        Colour{1, 0.93F, 0.82F} * (random.below(2) == 0 ? random.uniform(25, 75) : random.uniform(170, 245));
    const float width = random.uniform(0.1F, 0.17F), height = random.uniform(0.3F, 0.6F);
    add_ellipse(x + 0.1F, y + 0.02F, 1.8F * width, 0.7F * width, {0, 0, 0}, 0.35F);
    add_ellipse(x, y, 1.25F * width, 0.6F * width, colour, 1);
    add_ellipse(x, y - 0.4F * height, 0.65F * width, 0.5F * height, colour, 1);
    add_ellipse(x, y - 0.9F * height, random.uniform(0.6F, 1.0F) * width, random.uniform(0.6F, 0.9F) * width, colour,
                1);
  }

  void write(Random& random, std::uint8_t* pixels) const {
    for (const Colour& colour : pixels_) {
      const float grain = kGrain * (random.uniform() + random.uniform() - 1);
      for (const float value : {colour.red, colour.green, colour.blue}) {
        *pixels++ = static_cast<std::uint8_t>(std::clamp(value + grain, 0.0F, 255.0F));
      }
    }
  }

 private:
  [[nodiscard]] float place(std::int64_t pixel) const {
    return (static_cast<float>(pixel) + 0.5F) / static_cast<float>(side_);
  }

  void add_ellipse(float x, float y, float radius_x, float radius_y, Colour colour, float cover) {
    const auto pixel = [this](float value) {
      return std::clamp(static_cast<std::int64_t>(value * static_cast<float>(side_)), std::int64_t{0}, side_);
    };
    for (std::int64_t row = pixel(y - radius_y); row < std::min(side_, pixel(y + radius_y) + 1); ++row) {
      for (std::int64_t column = pixel(x - radius_x); column < std::min(side_, pixel(x + radius_x) + 1); ++column) {
        const float dx = (place(column) - x) / radius_x, dy = (place(row) - y) / radius_y;
        if (dx * dx + dy * dy > 1) {
          continue;
        }
        const Colour shaded = colour * (1 - 0.35F * dx - 0.1F * dx * dx);
        Colour& there = pixels_[static_cast<std::size_t>(row * side_ + column)];
        there = {there.red + cover * (shaded.red - there.red), there.green + cover * (shaded.green - there.green),
                 there.blue + cover * (shaded.blue - there.blue)};
      }
    }
  }

  std::int64_t side_;
  std::vector<Colour> pixels_;
};

DrawnLabels draw_square(std::int64_t side, Random& random, std::uint8_t* pixels) {
  const bool occupied = random.below(2) == 1;
  Scene scene(side, random);
  if (random.below(2) == 0) {
    scene.add_piece(random.uniform(-0.1F, 1.1F), random.uniform(-0.05F, 0.12F), random);  // behind
  }
  if (occupied) {
    scene.add_piece(random.uniform(0.36F, 0.64F), random.uniform(0.55F, 0.78F), random);
  }
  if (random.below(2) == 0) {
    scene.add_piece(random.below(2) == 0 ? random.uniform(-0.12F, 0.02F) : random.uniform(0.98F, 1.12F),
                    random.uniform(0.4F, 0.9F), random);  // beside
  }
  if (random.below(3) == 0) {
    scene.add_piece(random.uniform(0.1F, 0.9F), random.uniform(1.35F, 1.6F), random);  // before: its head alone
  }
  scene.write(random, pixels);
  return {occupied ? 1 : 0, 0};
}

}  // namespace

Result<Dataset> load_chess_squares(const DatasetRequest& request) {
  const std::int64_t side = request.image_size > 0 ? request.image_size : kSide;
  auto dataset = draw_dataset(kSeed, {3, side, side}, kSizes, 1, request, [side](Random& random, std::uint8_t* pixels) {
    return draw_square(side, random, pixels);
  });
  if (dataset) {
    dataset->classes = {"empty", "occupied"};
  }
  return dataset;
}

}  // namespace wattle::trainer
