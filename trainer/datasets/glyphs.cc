#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "drawn.h"

/// Digits as pens draw them: strokes, bent by a smooth random warp, turned, sheared, scaled and shifted, drawn with a
/// pen of random width and contrast over a sloped background, crossed by stray strokes, under noise. An image is a pure
/// function of (kSeed, set, index): every run of every training seed sees the same ones, and a larger set begins with
/// the smaller. The amounts below make LeNet-5 take several epochs, and make its learning rate and batch size matter.

namespace wattle::trainer {
namespace {

constexpr std::uint64_t kSeed = 0x67'6c'79'70'68'73;  // "glyphs"
constexpr int kSide = 28;
// A power of two: no batch size of the usual ones leaves a last batch of a few images, whose step is all noise.
constexpr std::array<std::int64_t, 3> kSizes = {8192, 1500, 2000};

constexpr float kTurn = 0.22F;                        // radians, standard deviation
constexpr float kShear = 0.18F;                       // standard deviation
constexpr float kScaleLow = 5.8F, kScaleHigh = 9.2F;  // pixels of half a digit's height
constexpr float kShift = 2.2F;                        // pixels, each way
constexpr float kWarp = 0.11F;                        // of half a digit's height
constexpr float kPenLow = 0.55F, kPenHigh = 1.45F;    // pixels of half the pen's width
constexpr int kStrayStrokes = 3;                      // at most
constexpr float kNoise = 24;                          // grey levels, standard deviation

struct Point {
  float x = 0, y = 0;
};
using Stroke = std::vector<Point>;
using Glyph = std::vector<Stroke>;
using Canvas = std::array<float, std::size_t{kSide} * kSide>;

/// Part of an ellipse; degrees run clockwise from the right, since y grows downwards.
Stroke arc(float x, float y, float radius_x, float radius_y, float from, float to, int pieces) {
  Stroke stroke;
  for (int piece = 0; piece <= pieces; ++piece) {
    const float degrees = from + (to - from) * static_cast<float>(piece) / static_cast<float>(pieces);
    const float angle = degrees * std::numbers::pi_v<float> / 180;
    stroke.push_back({x + radius_x * std::cos(angle), y + radius_y * std::sin(angle)});
  }
  return stroke;
}

Stroke joined(Stroke stroke, const Stroke& rest) {
  stroke.insert(stroke.end(), rest.begin(), rest.end());
  return stroke;
}

/// The ten digits in a box of about [-0.65, 0.65] x [-1, 1].
std::array<Glyph, 10> digits() {
  const Stroke six = joined({{.45F, -.92F}},
                            joined(arc(.48F, .38F, 1.03F, 1.2F, 255, 180, 6), arc(0, .42F, .55F, .53F, 180, -180, 12)));
  Stroke nine = six;
  for (Point& point : nine) {
    point = {-point.x, -point.y};
  }
  return {{
      {arc(0, 0, .58F, .95F, -90, 270, 16)},
      {{{-.28F, -.6F}, {.08F, -.95F}, {.08F, .95F}}},
      {joined(arc(0, -.42F, .55F, .53F, 190, 390, 9), {{-.58F, .95F}, {.62F, .95F}})},
      {joined(arc(-.05F, -.48F, .52F, .46F, 200, 440, 9), arc(-.05F, .46F, .6F, .49F, -80, 155, 9))},
      {{{.28F, .95F}, {.28F, -.95F}, {-.62F, .35F}, {.68F, .35F}}},
      {joined({{.55F, -.95F}, {-.42F, -.95F}, {-.48F, -.1F}}, arc(0, .35F, .58F, .6F, -130, 145, 10))},
      {six},
      {{{-.58F, -.95F}, {.6F, -.95F}, {-.12F, .95F}}},
      {arc(0, -.5F, .44F, .45F, -90, 270, 12), arc(0, .46F, .56F, .49F, -90, 270, 12)},
      {nine},
  }};
}

/// One writer's hand: where a point of a glyph comes to lie, in pixels.
class Hand {
 public:
  explicit Hand(Random& random) {
    const float turn = kTurn * random.normal();
    const float shear = kShear * random.normal();
    const float scale_y = random.uniform(kScaleLow, kScaleHigh);
    const float scale_x = scale_y * random.uniform(0.75F, 1.25F);
    xx_ = scale_x * std::cos(turn);
    xy_ = scale_y * (shear * std::cos(turn) - std::sin(turn));
    yx_ = scale_x * std::sin(turn);
    yy_ = scale_y * (shear * std::sin(turn) + std::cos(turn));
    middle_ = {kSide / 2.0F + random.uniform(-kShift, kShift), kSide / 2.0F + random.uniform(-kShift, kShift)};
    for (float& phase : phases_) {
      phase = random.uniform(0, 2 * std::numbers::pi_v<float>);
    }
  }

  [[nodiscard]] Point place(Point point) const {
    const float x = point.x + kWarp * (std::sin(2.6F * point.y + phases_[0]) + std::sin(4.1F * point.x + phases_[1]));
    const float y = point.y + kWarp * (std::sin(2.9F * point.x + phases_[2]) + std::sin(3.7F * point.y + phases_[3]));
    return {middle_.x + xx_ * x + xy_ * y, middle_.y + yx_ * x + yy_ * y};
  }

 private:
  float xx_, xy_, yx_, yy_;
  Point middle_;
  std::array<float, 4> phases_{};
};

float square(float value) { return value * value; }

/// Lays ink along one piece of a stroke; a pixel takes the darkest ink that any piece gives it.
void draw(Canvas& canvas, Point from, Point to, float half_width, float ink) {
  const float reach = half_width + 0.5F;
  const auto first = [reach](float low) { return std::clamp(static_cast<int>(std::floor(low - reach)), 0, kSide); };
  const auto last = [reach](float high) { return std::clamp(static_cast<int>(std::ceil(high + reach)) + 1, 0, kSide); };
  const Point along = {to.x - from.x, to.y - from.y};
  const float per_length = 1 / std::max(square(along.x) + square(along.y), 1e-6F);
  const int begin = first(std::min(from.x, to.x)), end = last(std::max(from.x, to.x));
  for (int row = first(std::min(from.y, to.y)); row < last(std::max(from.y, to.y)); ++row) {
    const float y = static_cast<float>(row) + 0.5F - from.y;
    float* pixels = canvas.data() + row * kSide;
    for (int column = begin; column < end; ++column) {
      const float x = static_cast<float>(column) + 0.5F - from.x;
      const float position = std::clamp((x * along.x + y * along.y) * per_length, 0.0F, 1.0F);
      const float distance = square(x - position * along.x) + square(y - position * along.y);
      if (distance < square(half_width + 0.5F)) {
        pixels[column] = std::max(pixels[column], ink * std::min(half_width + 0.5F - std::sqrt(distance), 1.0F));
      }
    }
  }
}

void draw_stray_strokes(Canvas& canvas, Random& random) {
  const std::uint64_t count = random.below(kStrayStrokes + 1);
  for (std::uint64_t stroke = 0; stroke < count; ++stroke) {
    const Point from = {random.uniform(0, kSide), random.uniform(0, kSide)};
    const float angle = random.uniform(0, 2 * std::numbers::pi_v<float>);
    const float length = random.uniform(3, 10);
    const Point to = {from.x + length * std::cos(angle), from.y + length * std::sin(angle)};
    draw(canvas, from, to, random.uniform(kPenLow, kPenHigh) * 0.8F, random.uniform(0.3F, 0.9F));
  }
}

/// About normal, from the sum of four bytes: much cheaper than exact, and noise needs no tails.
float rough_normal(std::uint64_t bits) {
  const auto sum =
      static_cast<int>((bits & 255U) + ((bits >> 8U) & 255U) + ((bits >> 16U) & 255U) + ((bits >> 24U) & 255U));
  return static_cast<float>(sum - 510) * (1.0F / 147.8F);
}

void write_pixels(const Canvas& canvas, Random& random, std::uint8_t* pixels) {
  const float contrast = random.uniform(100, 230);
  const float ground = random.uniform(5, 70);
  const float slope_x = random.uniform(-1.2F, 1.2F);
  const float slope_y = random.uniform(-1.2F, 1.2F);
  for (int row = 0; row < kSide; ++row) {
    for (int column = 0; column < kSide; column += 2) {
      const std::uint64_t bits = random.bits();
      for (int half = 0; half < 2; ++half) {
        const auto at = static_cast<std::size_t>(row * kSide + column + half);
        const float light = ground + slope_x * static_cast<float>(column + half - kSide / 2) +
                            slope_y * static_cast<float>(row - kSide / 2);
        const float grey = light + contrast * canvas[at] + kNoise * rough_normal(bits >> (32U * half));
        pixels[at] = static_cast<std::uint8_t>(std::clamp(grey, 0.0F, 255.0F));
      }
    }
  }
}

void draw_image(const Glyph& glyph, Random& random, std::uint8_t* pixels) {
  Canvas canvas{};
  const Hand hand(random);
  const float half_width = random.uniform(kPenLow, kPenHigh);
  for (const Stroke& stroke : glyph) {
    Point from = hand.place(stroke.front());
    for (std::size_t next = 1; next < stroke.size(); ++next) {
      const Point to = hand.place(stroke[next]);
      draw(canvas, from, to, half_width, 1);
      from = to;
    }
  }
  draw_stray_strokes(canvas, random);
  write_pixels(canvas, random, pixels);
}

DrawnLabels draw_glyph(Random& random, std::uint8_t* pixels) {
  static const std::array<Glyph, 10> kDigits = digits();
  const std::size_t digit = random.below(kDigits.size());
  draw_image(kDigits[digit], random, pixels);
  return {static_cast<std::int64_t>(digit), 0};
}

}  // namespace

Result<Dataset> load_glyphs(const DatasetRequest& request) {
  auto dataset = draw_dataset(kSeed, {1, kSide, kSide}, kSizes, 1, request, &draw_glyph);
  for (char digit = '0'; dataset && digit <= '9'; ++digit) {
    dataset->classes.emplace_back(1, digit);
  }
  return dataset;
}

Result<Dataset> load_glyph_pairs(const DatasetRequest& request) {
  auto dataset = load_glyphs(request);
  if (dataset) {
    dataset->pairs = true;
  }
  return dataset;
}

}  // namespace wattle::trainer
