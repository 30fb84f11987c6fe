#pragma once
#include "didact/report/step_report.hpp"

namespace didact {

/// What a trainer calls while it trains: after each step, after each epoch with its validation metrics, after each step
/// once its epoch is done too (to write a checkpoint), at the end. A member that is absent is not called.
template <class C, class Trainer>
concept Callback = requires(C& c, const report::StepReport& report) {
    c.step(report);
}
|| requires(C& c, const report::EpochReport& report) { c.epoch(report); }
|| requires(C& c, Trainer& trainer) { c.checkpoint(trainer); }
|| requires(C& c) { c.finish(); };

void call_step(const report::StepReport& report, auto&... callbacks) {
    [[maybe_unused]] const auto call = [&](auto& callback) {
        if constexpr (requires { callback.step(report); }) callback.step(report);
    };
    (call(callbacks), ...);
}

void call_epoch(const report::EpochReport& report, auto&... callbacks) {
    [[maybe_unused]] const auto call = [&](auto& callback) {
        if constexpr (requires { callback.epoch(report); }) callback.epoch(report);
    };
    (call(callbacks), ...);
}

template <class Trainer>
void call_checkpoint(Trainer& trainer, auto&... callbacks) {
    [[maybe_unused]] const auto call = [&](auto& callback) {
        if constexpr (requires { callback.checkpoint(trainer); }) callback.checkpoint(trainer);
    };
    (call(callbacks), ...);
}

void call_finish(auto&... callbacks) {
    [[maybe_unused]] const auto call = [](auto& callback) {
        if constexpr (requires { callback.finish(); }) callback.finish();
    };
    (call(callbacks), ...);
}

}
