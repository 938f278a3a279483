#include "driver/captured_output.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <sys/ioctl.h>
#include <unistd.h>

namespace coproc::detail {

void output_tails::append(output which, std::string_view bytes) noexcept {
    const std::lock_guard lock(mutex_);
    tails_[static_cast<std::size_t>(which)].append(bytes);
}

std::string output_tails::text(output which) const {
    const std::lock_guard lock(mutex_);
    return tails_[static_cast<std::size_t>(which)].text();
}

captured_output::captured_output(const asio::any_io_executor& io, process::unique_fd& out,
                                 process::unique_fd& error)
    : pipes_{pipe(io), pipe(io)} {
    for (const auto& [which, descriptor] :
         {std::pair(output::out, &out), std::pair(output::error, &error)}) {
        (*this)[which].end.assign(descriptor->get());
        static_cast<void>(descriptor->release());
    }
}

bool captured_output::take(output which) noexcept {
    constexpr std::size_t one_turn = 64 * 1024;
    return take(which, one_turn);
}

void captured_output::take_rest() noexcept {
    for (const output which : both_outputs) {
        int left = 0;
        if ((*this)[which].end.is_open() &&
            ::ioctl((*this)[which].end.native_handle(), FIONREAD, &left) == 0) {
            take(which, static_cast<std::size_t>(left));
        }
    }
}

bool captured_output::take(output which, std::size_t at_most) noexcept {
    pipe& from = (*this)[which];
    std::array<char, 16 * 1024> bytes;
    while (at_most > 0) {
        const ssize_t got =
            ::read(from.end.native_handle(), bytes.data(), std::min(bytes.size(), at_most));
        if (got > 0) {
            tails_->append(which, {bytes.data(), static_cast<std::size_t>(got)});
            at_most -= static_cast<std::size_t>(got);
        } else if (got < 0 && errno == EAGAIN) {
            return true;
        } else if (got == 0 || errno != EINTR) {
            asio::error_code ignored;
            from.end.close(ignored);
            return false;
        }
    }
    return true;
}

void captured_output::stop_waiting() {
    for (pipe& p : pipes_) {
        if (p.waiting) {
            p.end.cancel();
        }
    }
}

void captured_output::close() noexcept {
    for (pipe& p : pipes_) {
        asio::error_code ignored;
        p.end.close(ignored);
    }
}

} // namespace coproc::detail
