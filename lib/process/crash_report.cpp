#include "process/crash_report.hpp"

#include "process/modules.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <memory>
#include <string_view>

namespace coproc::process {
namespace {

using memory::crash_record;
using memory::crash_state;
using memory::module_range;

bool is_signal(int number) noexcept { return number > 0 && number <= SIGRTMAX; }

std::string_view path_of(const module_range& range) noexcept {
    return {range.path, ::strnlen(range.path, sizeof range.path)};
}

const module_range* range_of(const crash_record& record, std::uint64_t address) noexcept {
    const auto* end =
        record.modules + std::min<std::uint32_t>(record.module_count, crash_record::max_modules);
    const auto* found = std::find_if(record.modules, end, [&](const module_range& range) {
        return address >= range.base && address - range.base < range.size;
    });
    return found == end ? nullptr : found;
}

crash_frame make_frame(const crash_record& record, std::uint64_t address,
                       const std::vector<loaded_module>& here) {
    const module_range* range = range_of(record, address);
    if (range == nullptr) {
        return {{}, address, nullptr};
    }
    crash_frame frame{std::string(path_of(*range)), address - range->base, nullptr};
    for (const loaded_module& module : here) {
        if (module.identity().path == frame.module) {
            frame.here = module.code_at(frame.offset);
            break;
        }
    }
    return frame;
}

} // namespace

struct crash_copy::record_bytes {
    alignas(crash_record) std::byte bytes[sizeof(crash_record)];
};

std::optional<crash_copy> crash_copy::of(const crash_record& shared) {
    const crash_state state = shared.state.load(std::memory_order_acquire);
    if (state != crash_state::recorded && state != crash_state::unwound) {
        return std::nullopt;
    }
    const auto bytes = std::make_shared<record_bytes>();
    std::memcpy(bytes->bytes, static_cast<const void*>(&shared), sizeof bytes->bytes);
    crash_copy copy;
    copy.bytes_ = bytes;
    copy.unwound_ = state == crash_state::unwound;
    return copy;
}

std::optional<crash_report> crash_copy::read() const {
    // Its plain fields only.
    const auto& record = *reinterpret_cast<const crash_record*>(bytes_->bytes);
    if (!is_signal(record.signal)) {
        return std::nullopt;
    }
    crash_report report{record.signal, record.code, record.address, unwound_, {}};
    if (report.unwound) {
        const std::vector<loaded_module> here = loaded_modules();
        const std::uint32_t count = std::min(record.frame_count, crash_record::max_frames);
        for (std::uint32_t i = 0; i < count; ++i) {
            report.frames.push_back(make_frame(record, record.frames[i], here));
        }
    }
    return report;
}

std::optional<crash_report> read_crash_report(const crash_record& shared) {
    const std::optional<crash_copy> copy = crash_copy::of(shared);
    return copy ? copy->read() : std::nullopt;
}

std::optional<int> crash_signal(const crash_record& shared) noexcept {
    if (!has_crashed(shared)) {
        return std::nullopt;
    }
    const int number = shared.signal; // read once
    return is_signal(number) ? std::optional(number) : std::nullopt;
}

} // namespace coproc::process
