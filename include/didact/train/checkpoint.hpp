#pragma once
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "didact/io/atomic_file.hpp"
#include "didact/io/crc32c.hpp"
#include "didact/io/folder.hpp"
#include "didact/train/trainer.hpp"

namespace didact {

namespace checkpoint_file {

inline constexpr std::string_view kind = "didact checkpoint ", magic = "didact checkpoint 4\n";

/// Throws Error unless `bytes` is a whole checkpoint; gives its contents.
inline std::string contents(const std::string& bytes, const std::string& source) {
    const std::size_t head = magic.size() + 2 * sizeof(std::uint64_t);
    require(bytes.starts_with(magic) || !bytes.starts_with(kind), source,
            ": this checkpoint is of another version of didact");
    require(bytes.size() >= head && bytes.starts_with(magic), source, ": this is not a checkpoint");
    std::uint64_t size = 0, sum = 0;
    std::memcpy(&size, bytes.data() + magic.size(), sizeof size);
    std::memcpy(&sum, bytes.data() + magic.size() + sizeof size, sizeof sum);
    require(bytes.size() - head == size, source, ": the checkpoint has ", bytes.size() - head, " bytes, it says ", size,
            "; it is cut off");
    require(io::crc32c(std::string_view(bytes).substr(head)) == sum, source,
            ": the checkpoint's checksum does not match; it is damaged");
    return bytes.substr(head);
}

inline bool is_whole(const std::filesystem::path& path) {
    try {
        contents(io::read_file(path), path.string());
        return true;
    } catch (const Error&) {
        return false;
    }
}

/// The step that a file name of a checkpoint carries, or nothing.
inline std::optional<std::uint64_t> step_of(const std::filesystem::path& path) {
    const std::string name = path.filename().string(), start = "step-", end = ".checkpoint";
    if (!name.starts_with(start) || !name.ends_with(end) || name.size() <= start.size() + end.size()) return {};
    const std::string digits = name.substr(start.size(), name.size() - start.size() - end.size());
    if (digits.size() > 18 || digits.find_first_not_of("0123456789") != std::string::npos) return {};
    return std::stoull(digits);
}

/// The checkpoints of a folder, newest first.
inline std::vector<std::filesystem::path> list(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> paths;
    if (!io::is_folder(folder)) return paths;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error))
        if (step_of(entry.path())) paths.push_back(entry.path());
    require(!error, folder.string(), ": this folder cannot be read: ", error.message());
    std::sort(paths.begin(), paths.end(), [](const auto& a, const auto& b) { return *step_of(a) > *step_of(b); });
    return paths;
}

}

/// Writes a trainer's whole state to a file, which appears whole or not at all.
template <class TrainerType>
void save_checkpoint(TrainerType& trainer, const std::filesystem::path& path) {
    Archive archive;
    std::string model = trainer.engine().parameters().description();
    archive("model", model);
    trainer.serialize(archive);
    const std::uint64_t size = archive.bytes().size(), sum = io::crc32c(archive.bytes());
    io::AtomicFile file(path);
    file.write(checkpoint_file::magic);
    file.write(std::string_view(reinterpret_cast<const char*>(&size), sizeof size));
    file.write(std::string_view(reinterpret_cast<const char*>(&sum), sizeof sum));
    file.write(archive.bytes());
    file.commit();
}

/// Reads a trainer's state: its next `fit`, with the same data and options, goes on bit for bit. Throws Error where the
/// file is damaged or of another model, or where the trainer has other policies.
template <class TrainerType>
void load_checkpoint(TrainerType& trainer, const std::filesystem::path& path) {
    const std::string source = path.string();
    Archive archive(checkpoint_file::contents(io::read_file(path), source), source);
    std::string model;
    archive("model", model);
    const std::string here = trainer.engine().parameters().description();
    require(model == here, source, ": the checkpoint is of another model: ",
            first_difference("it has ", model, " where the model has ", here));
    trainer.serialize(archive);
}

/// Removes a folder's checkpoints, for a run that does not go on from them: `Checkpoint::resume` could find an earlier
/// run's.
inline void remove_checkpoints(const std::filesystem::path& folder) {
    for (const std::filesystem::path& path : checkpoint_file::list(folder)) io::remove_file(path);
}

/// Where a run's checkpoints are, and how many.
struct CheckpointOptions {
    std::filesystem::path folder = "checkpoints";
    std::size_t every_steps = 500;
    std::size_t keep = 2; ///< the newest ones; older ones are removed
};

/// A callback that writes FOLDER/step-N.checkpoint every so many steps: `trainer.fit(data, options, checkpoint)`. A
/// folder is one run's: checkpoints of later steps than the run's own are an earlier run's, and are removed.
class Checkpoint {
  public:
    explicit Checkpoint(CheckpointOptions options) : options_(std::move(options)) {
        require(options_.every_steps > 0, "CheckpointOptions: every_steps is 0");
        require(options_.keep > 0, "CheckpointOptions: keep is 0");
        io::make_folder(options_.folder);
    }

    /// Goes on from the newest checkpoint of the folder that is whole. False where there is none at all; throws the
    /// newest one's Error where none is whole.
    template <class TrainerType>
    bool resume(TrainerType& trainer) const {
        const auto paths = checkpoint_file::list(options_.folder);
        if (paths.empty()) return false;
        const auto whole = std::find_if(paths.begin(), paths.end(), checkpoint_file::is_whole);
        load_checkpoint(trainer, whole == paths.end() ? paths.front() : *whole);
        return true;
    }

    template <class TrainerType>
    void checkpoint(TrainerType& trainer) {
        const std::size_t step = trainer.moment().step_of_run;
        if (step % options_.every_steps != 0) return;
        save_checkpoint(trainer, options_.folder / ("step-" + std::to_string(step) + ".checkpoint"));
        std::size_t kept = 0;
        for (const std::filesystem::path& path : checkpoint_file::list(options_.folder))
            if (*checkpoint_file::step_of(path) > step || ++kept > options_.keep) io::remove_file(path);
    }

  private:
    CheckpointOptions options_;
};

}
