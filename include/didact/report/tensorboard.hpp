#pragma once
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdio>

#include "didact/io/crc32c.hpp"
#include "didact/io/folder.hpp"
#include "didact/report/append_file.hpp"
#include "didact/report/step_report.hpp"
#include "didact/report/utf8.hpp"

namespace didact::report {

/// The checksum as TensorFlow's record files store it, rotated and shifted by a constant so that the checksum of data
/// that contain checksums stays a good one (tensorflow/core/lib/hash/crc32c.h).
constexpr std::uint32_t masked_crc32c(std::string_view bytes) {
    const std::uint32_t crc = io::crc32c(bytes);
    return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

/// The few forms of the protocol buffer encoding that an event needs (protobuf.dev/programming-guides/encoding).
class ProtobufMessage {
  public:
    void varint(unsigned field, std::uint64_t value) {
        raw_varint(field << 3);
        raw_varint(value);
    }
    void fixed64(unsigned field, double value) {
        raw_varint(field << 3 | 1);
        little_endian(std::bit_cast<std::uint64_t>(value), 8);
    }
    void text(unsigned field, std::string_view value) {
        raw_varint(field << 3 | 2);
        raw_varint(value.size());
        bytes_ += value;
    }
    void message(unsigned field, const ProtobufMessage& value) { text(field, value.bytes_); }
    void fixed32(unsigned field, float value) {
        raw_varint(field << 3 | 5);
        little_endian(std::bit_cast<std::uint32_t>(value), 4);
    }
    const std::string& bytes() const { return bytes_; }

    /// The `count` low bytes of `value`, the lowest first, at the end of the message.
    void little_endian(std::uint64_t value, int count) {
        for (int i = 0; i < count; ++i) bytes_ += char(value >> 8 * i & 0xFF);
    }

  private:
    void raw_varint(std::uint64_t value) {
        for (; value >= 0x80; value >>= 7) bytes_ += char(0x80 | (value & 0x7F));
        bytes_ += char(value);
    }

    std::string bytes_;
};

/// A trainer's callback that writes an event file which TensorBoard shows: scalars `train/loss`, `train/learning_rate`,
/// `train/gradient_norm`, `train/tokens_per_second` and `train/experience` for each step, and `<split>/<metric>` for
/// each epoch, all over the steps of the whole run.
///
/// Each object writes a file of its own into `folder`. When a run goes on from a checkpoint, TensorBoard drops what the
/// older files say of the steps that are done again. Reports that do not say which step of the run they are of, as
/// those of one's own loop may, follow after `steps_before` and each other.
class TensorBoard {
  public:
    explicit TensorBoard(const std::filesystem::path& folder, std::size_t steps_before = 0)
        : file_((io::make_folder(folder), folder / file_name())), steps_before_(steps_before) {
        ProtobufMessage event = event_at(0);
        event.text(file_version, "brain.Event:2");
        write_record(event.bytes());
        file_.flush();
    }

    const std::filesystem::path& path() const { return file_.path(); }

    void step(const StepReport& report) {
        if (started_ && report.experience != experience_) steps_before_ += step_of_experience_;
        const double elapsed = report.seconds - seconds_;
        const bool timed = started_ && elapsed > 0;
        experience_ = report.experience;
        step_of_experience_ = report.step;
        step_ = report.step_of_run > 0 ? report.step_of_run : steps_before_ + report.step;
        seconds_ = report.seconds;
        begin();
        ProtobufMessage summary;
        add_scalar(summary, "train/loss", report.loss);
        add_scalar(summary, "train/learning_rate", report.learning_rate);
        add_scalar(summary, "train/gradient_norm", report.gradient_norm);
        if (timed) add_scalar(summary, "train/tokens_per_second", double(report.tokens) / elapsed);
        add_scalar(summary, "train/experience", double(report.experience));
        write_summary(summary);
        if (seconds_ - flushed_ >= 1) flush();
    }

    void epoch(const EpochReport& report) {
        if (report.step_of_run > 0) step_ = report.step_of_run;
        begin();
        ProtobufMessage summary;
        const std::string group = report.split + "/" + (report.task.empty() ? "" : report.task + "/");
        for (const auto& [name, value] : report.metrics) add_scalar(summary, group + name, value);
        write_summary(summary);
        flush();
    }

    void finish() { file_.close(); }

  private:
    // Field numbers of tensorboard/compat/proto/event.proto and summary.proto.
    enum EventField : unsigned { wall_time = 1, step_of_run = 2, file_version = 3, summary_field = 5, session_log = 7 };
    enum SessionLogField : unsigned { status = 1 };
    enum SummaryField : unsigned { value_field = 1 };
    enum ValueField : unsigned { tag = 1, simple_value = 2 };

    /// TensorBoard takes the files of a folder in the order of their names.
    static std::string file_name() {
        static std::atomic<unsigned> opened{0};
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
        char name[96];
#if __has_include(<unistd.h>)
        const long process = long(::getpid());
#else
        const long process = 0;
#endif
        std::snprintf(name, sizeof name, "events.out.tfevents.%010lld.%06lld.didact.%ld.%06u",
                      static_cast<long long>(microseconds / 1000000), static_cast<long long>(microseconds % 1000000),
                      process, opened++);
        return name;
    }

    static ProtobufMessage event_at(std::size_t step) {
        ProtobufMessage event;
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        event.fixed64(wall_time, std::chrono::duration<double>(now).count());
        event.varint(step_of_run, step);
        return event;
    }

    static void add_scalar(ProtobufMessage& summary, std::string_view name, double number) {
        ProtobufMessage value;
        value.text(tag, valid_utf8(name));
        value.fixed32(simple_value, float(number));
        summary.message(value_field, value);
    }

    /// The mark of a (re)start at this step, before the first scalars.
    void begin() {
        if (started_) return;
        started_ = true;
        ProtobufMessage log;
        log.varint(status, 1); // START
        ProtobufMessage event = event_at(step_);
        event.message(session_log, log);
        write_record(event.bytes());
    }

    void write_summary(const ProtobufMessage& summary) {
        ProtobufMessage event = event_at(step_);
        event.message(summary_field, summary);
        write_record(event.bytes());
    }

    /// A TFRecord: length, its checksum, data, their checksum (tensorflow.org/tutorials/load_data/tfrecord).
    void write_record(const std::string& data) {
        ProtobufMessage frame;
        frame.little_endian(data.size(), 8);
        frame.little_endian(masked_crc32c(frame.bytes()), 4);
        ProtobufMessage tail;
        tail.little_endian(masked_crc32c(data), 4);
        file_.write(frame.bytes());
        file_.write(data);
        file_.write(tail.bytes());
    }

    void flush() {
        file_.flush();
        flushed_ = seconds_;
    }

    AppendFile file_;
    std::size_t steps_before_, experience_ = 0, step_of_experience_ = 0;
    std::size_t step_ = steps_before_; ///< of the run
    double seconds_ = 0, flushed_ = 0;
    bool started_ = false;
};

}
