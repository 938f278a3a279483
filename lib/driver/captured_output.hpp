#pragma once

#include "process/unique_fd.hpp"
#include "text/tail.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/posix/stream_descriptor.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>

namespace coproc::detail {

/// The two outputs of a worker, as numbers into what there is of each.
enum class output : std::size_t { out, error };
inline constexpr std::array both_outputs{output::out, output::error};

/// What a worker last wrote. The worker's link adds to it, failures read it, in any thread.
class output_tails {
public:
    void append(output which, std::string_view bytes) noexcept;
    [[nodiscard]] std::string text(output which) const;

private:
    static constexpr std::size_t kept = 4096;

    mutable std::mutex mutex_; // held for copying only
    std::array<text::tail, 2> tails_{text::tail(kept), text::tail(kept)};
};

/// The parent's ends of the pipes that are a worker's stdout and stderr. Guarded by the executor's
/// mutex.
class captured_output {
public:
    struct pipe {
        explicit pipe(const asio::any_io_executor& io) : end(io) {}
        asio::posix::stream_descriptor end; ///< closed: nobody can write to it any more
        bool waiting = false;               ///< an async_wait is on its way
    };

    /// Takes the descriptors over; what it has not taken when it throws is still the caller's.
    captured_output(const asio::any_io_executor& io, process::unique_fd& out,
                    process::unique_fd& error);

    /// Reads what lies in the pipe at this moment, and no more than a pipe holds by default, so
    /// that a flood does not hold the loop up. False: it is closed now.
    bool take(output which) noexcept;
    /// What lies in both at this moment. Ends also while somebody goes on writing.
    void take_rest() noexcept;
    /// Gives the waits up that are on their way; their handlers come.
    void stop_waiting();
    void close() noexcept;

    pipe& operator[](output which) noexcept { return pipes_[static_cast<std::size_t>(which)]; }
    const std::shared_ptr<output_tails>& tails() const noexcept { return tails_; }

private:
    bool take(output which, std::size_t at_most) noexcept;

    std::array<pipe, 2> pipes_;
    std::shared_ptr<output_tails> tails_ = std::make_shared<output_tails>();
};

} // namespace coproc::detail
