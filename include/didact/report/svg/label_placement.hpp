#pragma once
#include <algorithm>
#include <vector>

#include "didact/report/svg/canvas.hpp"

namespace didact::report::svg {

/// A label's box beside a point, and whether it is so far off that a line should lead to it.
struct Placement {
    Box box;
    bool led = false;
};

/// Finds, one label after another, the place around a point that covers least of what is there already.
class LabelPlacer {
  public:
    explicit LabelPlacer(const Box& inside) : inside_(inside) {}

    /// Something that labels should not cover.
    void occupy(const Box& box) { taken_.push_back(box); }

    /// Of the places around (x, y), near ones first: the first that is free, or the one that covers least.
    Placement place(double x, double y, double width, double height) {
        static constexpr double sides[][2] = {{1, 0},    {-1, 0},    {0, -1},   {0, 1},     {1, -1},  {-1, -1},
                                              {1, 1},    {-1, 1},    {1, -0.5}, {-1, -0.5}, {1, 0.5}, {-1, 0.5},
                                              {0.5, -1}, {-0.5, -1}, {0.5, 1},  {-0.5, 1}};
        Placement best;
        double least = -1;
        for (const double distance : {9.0, 20.0, 34.0, 50.0, 70.0}) {
            for (const auto& [dx, dy] : sides) {
                // On a diagonal the box touches the point's surroundings with its corner.
                const double away = dx * dy == 0 ? distance : 0.75 * distance;
                const Box box{x + dx * away + (dx - 1) / 2 * width, y + dy * away + (dy - 1) / 2 * height, width,
                              height};
                const bool led = distance > 10;
                // One far off keeps clear of other points, or it would seem to be theirs.
                const double cost = led ? covered(box.grown(4)) + crossed(x, y, box) : covered(box);
                if (least >= 0 && cost >= least) continue;
                least = cost;
                best = {box, led};
            }
            if (least <= 0) break;
        }
        occupy(best.box.grown(1));
        return best;
    }

  private:
    /// Area of other things under `box`, and that outside, which counts more.
    double covered(const Box& box) const {
        double area = 4 * (box.width * box.height - box.overlap(inside_));
        if (area < 1e-6) area = 0;
        for (const Box& other : taken_) area += box.overlap(other);
        return area;
    }

    /// A price for each other thing that the line from (x, y) to `box` runs over.
    double crossed(double x, double y, const Box& box) const {
        const double to_x = std::clamp(x, box.x, box.right()), to_y = std::clamp(y, box.y, box.bottom());
        double price = 0;
        for (const Box& other : taken_) {
            if (other.contains(x, y)) continue;
            bool runs_over = false;
            constexpr int steps = 24;
            for (int k = 0; k <= steps; ++k)
                runs_over =
                    runs_over || other.grown(2).contains(x + (to_x - x) * k / steps, y + (to_y - y) * k / steps);
            if (runs_over) price += 40;
        }
        return price;
    }

    Box inside_;
    std::vector<Box> taken_;
};

}
