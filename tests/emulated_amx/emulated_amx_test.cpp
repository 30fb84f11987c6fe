#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "../backend/backend_setting.hpp"

#if DIDACT_WITH_AMX

namespace emulated_amx_test {

using namespace didact;
using namespace didact::backend_test;
using Registers = cpu::AmxRegisters<float>;

TEST_SUITE("unit") {

    TEST_CASE("the tests of this program go through the emulated tile registers") {
        Setting<bf16> s;
        const View<float> a = s.matrix(70, 45), b = s.matrix(33, 45), c = s.result(70, 33);
        const std::size_t before = Registers::made;
        gemm(s.context, Transpose::no, Factor<Cpu<bf16>>(a), Transpose::yes, Factor<Cpu<bf16>>(b), c);
        if (!Registers::serves()) MESSAGE("skipped: this processor has no AVX512-BF16, which packing needs");
        CHECK((Registers::made > before) == Registers::serves());
    }

    TEST_CASE("an emulated product is that of its panels, from what it starts from") {
        constexpr std::size_t width = cpu::AmxPanels::panel_width, chunks = 3, depth = chunks * cpu::AmxPanels::terms;
        Setting<float> s;
        std::vector<bf16> left(width * depth), right(width * depth);
        for (std::vector<bf16>* panel : {&left, &right})
            for (bf16& x : *panel) x = bf16::nearest(float(s.random.normal()));
        const View<float> start = s.matrix(width, width, 5), bias = s.matrix(1, width), c = s.result(width, width);
        // The element of a row of op(A), or of a column of op(B), in its panel.
        const auto of_left = [&](std::size_t i, std::size_t t) { return float(left[t / 32 * 1024 + i * 32 + t % 32]); };
        const auto of_right = [&](std::size_t j, std::size_t t) {
            return float(right[t / 32 * 1024 + j / 16 * 512 + t % 32 / 2 * 32 + j % 16 * 2 + t % 2]);
        };
        const Registers registers;
        const auto check = [&](const float* from, std::size_t stride) {
            registers.multiply(left.data(), right.data(), chunks, from, stride, c.data, c.stride);
            for (std::size_t i = 0; i < width; ++i)
                for (std::size_t j = 0; j < width; ++j) {
                    double sum = from ? double(from[i * stride + j]) : 0;
                    for (std::size_t t = 0; t < depth; ++t) sum += double(of_left(i, t)) * double(of_right(j, t));
                    CHECK(std::abs(double(c(i, j)) - sum) < 1e-4);
                }
        };
        check(nullptr, 0);
        check(start.data, start.stride);
        check(bias.data, 0);
    }
}

}

#endif
