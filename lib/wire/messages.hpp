#pragma once

#include "wire/frame.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <variant>

// The envelopes of protocol.capnp as plain structs. What they mean is said there.
//
// Texts and byte strings are views: for encoding, of what the caller has; after parsing, of the
// envelope, so they are valid as long as the frame.
namespace coproc::wire {

inline constexpr std::uint32_t protocol_version = 8;

/// A deadline or a run limit that never comes.
inline constexpr std::int64_t never_ns = std::numeric_limits<std::int64_t>::max();

/// Texts for people are cut to this length, at the boundary of a UTF-8 character.
inline constexpr std::size_t max_text_bytes = 4096;

/// The longest name of an exported function; longer ones must not be encoded.
inline constexpr std::size_t max_exported_bytes = 1024;

/// Runs a function; the payload holds its arguments.
struct task_header {
    std::uint64_t id = 0;
    std::uint32_t module = 0;
    std::uint32_t function_module = 0;
    std::uint64_t invoker = 0;
    std::uint64_t function = 0;
    std::int64_t deadline_ns = never_ns;
    std::int64_t run_limit_ns = never_ns;
    std::string_view name = {}; ///< cut to max_text_bytes
    /// If it is not empty, the function is the one that is exported by this name, and `invoker` is
    /// its signature.
    std::string_view exported = {};
    bool initializer = false;

    friend bool operator==(const task_header&, const task_header&) = default;
};

/// Names a module by a number for later tasks.
struct module_header {
    std::uint32_t number = 0;
    std::string_view path = {};
    std::span<const std::byte> build_id = {};

    friend bool operator==(const module_header& a, const module_header& b) noexcept {
        return a.number == b.number && a.path == b.path &&
               std::ranges::equal(a.build_id, b.build_id);
    }
};

/// No task follows.
struct request_exit {
    friend bool operator==(const request_exit&, const request_exit&) = default;
};

/// Between tasks: give back memory that no task needs, and tell how much is left.
struct clean_up {
    std::uint64_t limit = 0; ///< bytes of private memory; with fewer there is nothing to do

    friend bool operator==(const clean_up&, const clean_up&) = default;
};

/// Memory that arrays of later tasks lie in; its descriptor comes with the first byte.
struct extent_header {
    std::uint64_t number = 0;
    std::uint64_t bytes = 0;
    std::uint64_t inode = 0;

    friend bool operator==(const extent_header&, const extent_header&) = default;
};

/// No later task refers to it.
struct forget_extent {
    std::uint64_t number = 0;

    friend bool operator==(const forget_extent&, const forget_extent&) = default;
};

/// To a zygote: a descriptor, which comes with the first byte, of the worker that is forked next.
struct fork_descriptor {
    friend bool operator==(const fork_descriptor&, const fork_descriptor&) = default;
};

/// To a zygote: fork a worker. The payload holds its settings (process/fork_settings.hpp).
struct fork_order {
    std::uint64_t nonce = 0;
    std::uint32_t number = 0; ///< of the order; `forked` repeats it
    std::uint32_t slot = 0;   ///< of the worker

    friend bool operator==(const fork_order&, const fork_order&) = default;
};

/// What became of a task that a worker had begun.
enum class reply_outcome : std::uint8_t {
    value,            ///< the function returned; the payload holds what
    unknown_function, ///< it is not there, and did not run
    decode_failed,    ///< its arguments could not be decoded, and it did not run
    threw,            ///< the payload holds the exception, or nothing
    encode_failed,    ///< it returned, and its result could not be encoded
    too_large,        ///< it returned, and its result exceeds the limit
    part,             ///< it goes on; the payload holds the results of some elements of its chunk
};

struct reply_header {
    std::uint64_t sequence = 0;
    reply_outcome outcome = reply_outcome::value;
    std::string_view text = {}; ///< of a failure, for a person; cut to max_text_bytes

    friend bool operator==(const reply_header&, const reply_header&) = default;
};

/// The first thing a worker says.
struct hello {
    std::uint32_t version = protocol_version;
    std::int32_t pid = 0;
    std::uint64_t nonce = 0;
    std::span<const std::byte> build_id = {};

    friend bool operator==(const hello& a, const hello& b) noexcept {
        return a.version == b.version && a.pid == b.pid && a.nonce == b.nonce &&
               std::ranges::equal(a.build_id, b.build_id);
    }
};

/// Why a worker cannot serve, for a person; cut to max_text_bytes.
struct log_text {
    std::string_view text = {};

    friend bool operator==(const log_text&, const log_text&) = default;
};

/// What a task reports while it runs; the payload holds the value.
struct progress_header {
    std::uint64_t sequence = 0;
    std::uint16_t sink = 0;
    std::uint32_t skipped = 0; ///< values dropped by the worker since the last one that was sent

    friend bool operator==(const progress_header&, const progress_header&) = default;
};

/// A task asks that its worker be replaced.
struct retire_request {
    friend bool operator==(const retire_request&, const retire_request&) = default;
};

/// The worker has cleaned up.
struct cleaned {
    /// Of private memory that it has now; 0: it cannot tell. The kernel counts in these, too, and
    /// 32 bits have room in the envelope of every report.
    std::uint32_t kibibytes = 0;

    friend bool operator==(const cleaned&, const cleaned&) = default;
};

/// The answer to fork_order, of the forked process or, if there is none, of the zygote.
struct forked {
    std::uint32_t number = 0;   ///< of the order
    std::int32_t pid = 0;       ///< 0: there is no process
    std::string_view text = {}; ///< why it is no worker, for a person; empty: it is one

    friend bool operator==(const forked&, const forked&) = default;
};

/// Why an envelope is not a message.
enum class message_error : std::uint8_t {
    malformed, ///< not Cap'n Proto, or a pointer in it leads nowhere
    unknown,   ///< a message or a value that this version of the protocol does not have
};

/// One sentence for a person.
const char* describe(message_error error) noexcept;

/// What an envelope from the parent says.
using command = std::variant<message_error, task_header, module_header, request_exit, clean_up,
                             extent_header, forget_extent, fork_descriptor, fork_order>;

/// What an envelope from a worker says.
using report = std::variant<message_error, reply_header, hello, log_text, progress_header,
                            retire_request, cleaned, forked>;

/// @{
/// What an envelope says. Every byte of it may be hostile; it must not change meanwhile, and is
/// aligned to 8. Nothing is thrown or allocated unless the envelope is malformed.
command parse_command(std::span<const std::byte> envelope);
report parse_report(std::span<const std::byte> envelope);
/// @}

/// The greatest head of a task or a reply: enough for any name or text after cutting.
inline constexpr std::size_t max_head_bytes = max_text_bytes + max_exported_bytes + 256;

/// @{
/// The size of a frame's head, that is header, envelope and the zeros up to the payload; a multiple
/// of
/// 16. 0: the message does not fit into an envelope (a module's path or a build-id is too long).
std::size_t head_bytes(const task_header& task) noexcept;
std::size_t head_bytes(const module_header& module) noexcept;
std::size_t head_bytes(const request_exit& request) noexcept;
std::size_t head_bytes(const clean_up& request) noexcept;
std::size_t head_bytes(const extent_header& extent) noexcept;
std::size_t head_bytes(const forget_extent& forget) noexcept;
std::size_t head_bytes(const fork_descriptor& descriptor) noexcept;
std::size_t head_bytes(const fork_order& order) noexcept;
std::size_t head_bytes(const reply_header& reply) noexcept;
std::size_t head_bytes(const hello& greeting) noexcept;
std::size_t head_bytes(const log_text& log) noexcept;
std::size_t head_bytes(const progress_header& progress) noexcept;
std::size_t head_bytes(const retire_request& request) noexcept;
std::size_t head_bytes(const cleaned& report) noexcept;
std::size_t head_bytes(const forked& answer) noexcept;
/// @}

/// @{
/// Writes the head of a frame whose payload has `payload_bytes` bytes, and gives its size. `out` is
/// aligned to 8. If it has fewer than head_bytes(message) bytes, or these are 0, nothing is written
/// and the result is 0. Never allocates.
std::size_t encode(const task_header& task, std::uint64_t payload_bytes, std::span<std::byte> out);
std::size_t encode(const module_header& module, std::uint64_t payload_bytes,
                   std::span<std::byte> out);
std::size_t encode(const request_exit& request, std::uint64_t payload_bytes,
                   std::span<std::byte> out);
std::size_t encode(const clean_up& request, std::uint64_t payload_bytes, std::span<std::byte> out);
std::size_t encode(const extent_header& extent, std::uint64_t payload_bytes,
                   std::span<std::byte> out);
std::size_t encode(const forget_extent& forget, std::uint64_t payload_bytes,
                   std::span<std::byte> out);
std::size_t encode(const fork_descriptor& descriptor, std::uint64_t payload_bytes,
                   std::span<std::byte> out);
std::size_t encode(const fork_order& order, std::uint64_t payload_bytes, std::span<std::byte> out);
std::size_t encode(const reply_header& reply, std::uint64_t payload_bytes,
                   std::span<std::byte> out);
std::size_t encode(const hello& greeting, std::uint64_t payload_bytes, std::span<std::byte> out);
std::size_t encode(const log_text& log, std::uint64_t payload_bytes, std::span<std::byte> out);
std::size_t encode(const progress_header& progress, std::uint64_t payload_bytes,
                   std::span<std::byte> out);
std::size_t encode(const retire_request& request, std::uint64_t payload_bytes,
                   std::span<std::byte> out);
std::size_t encode(const cleaned& report, std::uint64_t payload_bytes, std::span<std::byte> out);
std::size_t encode(const forked& answer, std::uint64_t payload_bytes, std::span<std::byte> out);
/// @}

} // namespace coproc::wire
