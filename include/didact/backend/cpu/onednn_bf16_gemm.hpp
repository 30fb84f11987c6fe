#pragma once
#include <dnnl.h>

#include <compare>
#include <map>
#include <memory>

#include "didact/backend/cpu/onednn_gemm.hpp"
#include "didact/core/bf16.hpp"

namespace didact::cpu {

/// oneDNN's product of matrices of bf16, added up in T: float. (A template, so that who does without does not wait for
/// its compilation.)
template <class T>
struct OneDnnBf16Gemm {
    static_assert(std::is_same_v<T, float>);
    using Operand = bf16;
    static constexpr const char* name = "oneDNN";
    /// Code is generated for every shape that occurs: few do where panels are whole.
    static std::size_t row_panel() { return 32; }
    static std::size_t incomplete_rows(std::size_t rows) { return rows % row_panel(); }
    static std::size_t largest_tile() { return 512; }
    static constexpr std::size_t column_panel = 48;
    /// Longer sums are cut here, as oneDNN cuts them by the size of the whole product.
    static constexpr std::size_t depth_block = 384;

    /// Whether this processor multiplies bf16 faster than float in this way. AMD's with AVX512-BF16 does; Intel's takes
    /// twice as long for a dot product as for a fused multiply-add, and where it has AMX, oneDNN does not always sum
    /// in the same order.
    static bool serves() {
#if defined(__x86_64__)
        static const bool faster =
            (int(dnnl_get_effective_cpu_isa()) & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16 &&
            __builtin_cpu_is("amd");
        return faster;
#else
        return false;
#endif
    }

    static void product(Transpose transpose_a, View<const bf16> a, Transpose transpose_b, View<const bf16> b, View<T> c,
                        bool accumulate) {
        static thread_local std::map<Shape, Product> products;
        const OneDnnOnOneThread guard;
        const std::size_t depth = transpose_a == Transpose::no ? a.cols : a.rows;
        const std::size_t block = transpose_a == Transpose::no ? depth_block : depth;
        for (std::size_t begin = 0; begin < depth; begin += block) {
            const std::size_t count = std::min(block, depth - begin);
            const View<const bf16> left =
                transpose_a == Transpose::no ? a.middle_cols(begin, count) : a.middle_rows(begin, count);
            const View<const bf16> right =
                transpose_b == Transpose::no ? b.middle_rows(begin, count) : b.middle_cols(begin, count);
            const Shape shape{transpose_a == Transpose::yes,
                              transpose_b == Transpose::yes,
                              accumulate || begin > 0,
                              dnnl_dim_t(c.rows),
                              dnnl_dim_t(c.cols),
                              dnnl_dim_t(count),
                              dnnl_dim_t(a.stride),
                              dnnl_dim_t(b.stride),
                              dnnl_dim_t(c.stride)};
            auto found = products.find(shape);
            if (found == products.end()) {
                if (products.size() == most_products) products.clear();
                found = products.try_emplace(shape, shape).first;
            }
            found->second(left.data, right.data, c.data);
        }
    }

  private:
    static constexpr std::size_t most_products = 2048;

    struct Shape {
        bool transpose_a, transpose_b, accumulate;
        dnnl_dim_t rows, cols, depth, stride_a, stride_b, stride_c;
        auto operator<=>(const Shape&) const = default;
    };

    template <auto destroy>
    struct Destroy {
        void operator()(auto* object) const { destroy(object); }
    };
    using Engine = std::unique_ptr<dnnl_engine, Destroy<dnnl_engine_destroy>>;
    using Stream = std::unique_ptr<dnnl_stream, Destroy<dnnl_stream_destroy>>;
    using Memory = std::unique_ptr<dnnl_memory, Destroy<dnnl_memory_destroy>>;
    using Attributes = std::unique_ptr<dnnl_primitive_attr, Destroy<dnnl_primitive_attr_destroy>>;
    using PostOperations = std::unique_ptr<dnnl_post_ops, Destroy<dnnl_post_ops_destroy>>;
    using Description = std::unique_ptr<dnnl_primitive_desc, Destroy<dnnl_primitive_desc_destroy>>;
    using Primitive = std::unique_ptr<dnnl_primitive, Destroy<dnnl_primitive_destroy>>;

    static void check(dnnl_status_t status) {
        if (status != dnnl_success) fail("oneDNN: a matrix product of bf16 ended with status ", int(status));
    }
    /// What `create` makes.
    template <class Handle>
    static Handle made(const auto& create) {
        typename Handle::pointer object = nullptr;
        check(create(&object));
        return Handle(object);
    }

    /// The generated code of one shape, for the calling thread.
    class Product {
      public:
        explicit Product(const Shape& s) {
            const Layout a = matrix(s.rows, s.depth, dnnl_bf16, s.transpose_a, s.stride_a);
            const Layout b = matrix(s.depth, s.cols, dnnl_bf16, s.transpose_b, s.stride_b);
            const Layout c = matrix(s.rows, s.cols, dnnl_f32, false, s.stride_c);
            const auto attributes = made<Attributes>(dnnl_primitive_attr_create);
            if (s.accumulate) {
                const auto sum = made<PostOperations>(dnnl_post_ops_create);
                check(append_sum(sum.get()));
                check(dnnl_primitive_attr_set_post_ops(attributes.get(), sum.get()));
            }
            const auto description = made<Description>([&](dnnl_primitive_desc_t* made) {
                return describe(made, a.get(), b.get(), c.get(), attributes.get());
            });
            primitive_ =
                made<Primitive>([&](dnnl_primitive_t* made) { return dnnl_primitive_create(made, description.get()); });
            a_ = memory(a);
            b_ = memory(b);
            c_ = memory(c);
        }

        void operator()(const bf16* a, const bf16* b, T* c) const {
            check(dnnl_memory_set_data_handle(a_.get(), const_cast<bf16*>(a)));
            check(dnnl_memory_set_data_handle(b_.get(), const_cast<bf16*>(b)));
            check(dnnl_memory_set_data_handle(c_.get(), c));
            const dnnl_exec_arg_t arguments[] = {
                {DNNL_ARG_SRC, a_.get()}, {DNNL_ARG_WEIGHTS, b_.get()}, {DNNL_ARG_DST, c_.get()}};
            static thread_local const Stream stream = made<Stream>(
                [](dnnl_stream_t* made) { return dnnl_stream_create(made, engine(), dnnl_stream_default_flags); });
            check(dnnl_primitive_execute(primitive_.get(), stream.get(), 3, arguments));
            check(dnnl_stream_wait(stream.get()));
        }

      private:
        static dnnl_engine_t engine() {
            static const Engine cpu =
                made<Engine>([](dnnl_engine_t* made) { return dnnl_engine_create(made, dnnl_cpu, 0); });
            return cpu.get();
        }
        // What oneDNN's third version does in another way than its second.
#if DNNL_VERSION_MAJOR >= 3
        using Layout = std::unique_ptr<dnnl_memory_desc, Destroy<dnnl_memory_desc_destroy>>;
        static Layout layout(const dnnl_dims_t& sizes, dnnl_data_type_t type, const dnnl_dims_t& strides) {
            return made<Layout>([&](dnnl_memory_desc_t* made) {
                return dnnl_memory_desc_create_with_strides(made, 2, sizes, type, strides);
            });
        }
        static dnnl_status_t append_sum(dnnl_post_ops_t to) {
            return dnnl_post_ops_append_sum(to, 1.0f, 0, dnnl_data_type_undef);
        }
        static dnnl_status_t describe(dnnl_primitive_desc_t* description, const_dnnl_memory_desc_t a,
                                      const_dnnl_memory_desc_t b, const_dnnl_memory_desc_t c,
                                      const_dnnl_primitive_attr_t attributes) {
            return dnnl_matmul_primitive_desc_create(description, engine(), a, b, nullptr, c, attributes);
        }
#else
        struct Layout {
            dnnl_memory_desc_t value;
            const dnnl_memory_desc_t* get() const { return &value; }
        };
        static Layout layout(const dnnl_dims_t& sizes, dnnl_data_type_t type, const dnnl_dims_t& strides) {
            Layout layout;
            check(dnnl_memory_desc_init_by_strides(&layout.value, 2, sizes, type, strides));
            return layout;
        }
        static dnnl_status_t append_sum(dnnl_post_ops_t to) { return dnnl_post_ops_append_sum(to, 1.0f); }
        static dnnl_status_t describe(dnnl_primitive_desc_t* description, const dnnl_memory_desc_t* a,
                                      const dnnl_memory_desc_t* b, const dnnl_memory_desc_t* c,
                                      const_dnnl_primitive_attr_t attributes) {
            dnnl_matmul_desc_t operation;
            check(dnnl_matmul_desc_init(&operation, a, b, nullptr, c));
            return dnnl_primitive_desc_create(description, &operation, attributes, engine(), nullptr);
        }
#endif
        static Layout matrix(dnnl_dim_t rows, dnnl_dim_t cols, dnnl_data_type_t type, bool transposed,
                             dnnl_dim_t stride) {
            return layout({rows, cols}, type, {transposed ? 1 : stride, transposed ? stride : 1});
        }
        static Memory memory(const Layout& layout) {
            return made<Memory>([&](dnnl_memory_t* made) {
                return dnnl_memory_create(made, layout.get(), engine(), DNNL_MEMORY_NONE);
            });
        }

        Primitive primitive_;
        Memory a_, b_, c_;
    };
};

}
