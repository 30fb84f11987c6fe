#pragma once

/// The CPU backend with all its operations.

#include "didact/backend/cpu/absorbed_attention.hpp"
#include "didact/backend/cpu/activation.hpp"
#include "didact/backend/cpu/attention.hpp"
#include "didact/backend/cpu/cross_entropy.hpp"
#include "didact/backend/cpu/dropout.hpp"
#include "didact/backend/cpu/elementwise.hpp"
#include "didact/backend/cpu/embedding.hpp"
#include "didact/backend/cpu/factor.hpp"
#include "didact/backend/cpu/gemm.hpp"
#include "didact/backend/cpu/layer_norm.hpp"
#include "didact/backend/cpu/pointwise_loss.hpp"
#include "didact/backend/cpu/product_cross_entropy.hpp"
#include "didact/backend/cpu/reduce.hpp"
#include "didact/backend/cpu/tag.hpp"
#include "didact/backend/cpu/weight_factor.hpp"
