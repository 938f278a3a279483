#include "exception_codec.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <coproc/remote_exception.hpp>

#include "describe.hpp"
#include "registered_types.hpp"
#include "standard_types.hpp"

namespace coproc::exceptions {
namespace {

std::string text_of(capnp::Text::Reader text, std::size_t limit) {
    return std::string(text.begin(), std::min(text.size(), limit));
}

standard_parts read_parts(protocol::Thrown::Reader in) {
    standard_parts parts;
    parts.kind = in.getKind();
    parts.code = in.getCode();
    parts.category = text_of(in.getCategory(), max_text);
    if (auto paths = in.getPaths(); paths.size() == 2) {
        parts.path1 = text_of(paths[0], max_text);
        parts.path2 = text_of(paths[1], max_text);
    }
    return parts;
}

std::exception_ptr unreadable(const char* type, int worker_pid) {
    auto origin =
        std::make_shared<const detail::remote_origin>(detail::remote_origin{type, {}, worker_pid});
    const std::string text = "worker " + std::to_string(worker_pid) + " threw " + origin->type;
    return std::make_exception_ptr(remote_error(text, std::move(origin)));
}

std::exception_ptr read(protocol::Thrown::Reader in, int depth, int worker_pid);

/// Null if there is none, and also if it cannot be read: the outer exception is worth more.
std::exception_ptr read_nested(protocol::Thrown::Reader in, int depth, int worker_pid) {
    try {
        if (depth < max_depth && in.hasNested()) {
            return read(in.getNested(), depth + 1, worker_pid);
        }
    } catch (const std::bad_alloc&) {
        throw;
    } catch (...) {
    }
    return nullptr;
}

std::exception_ptr read(protocol::Thrown::Reader in, int depth, int worker_pid) {
    auto origin = std::make_shared<const detail::remote_origin>(detail::remote_origin{
        text_of(in.getType(), max_type_name), text_of(in.getWhat(), max_text), worker_pid});
    const standard_parts parts = read_parts(in);
    const std::exception_ptr nested = read_nested(in, depth, worker_pid);
    if (std::exception_ptr standard = put_together(parts, origin, nested)) {
        return standard;
    }
    if (parts.kind == protocol::Kind::REGISTERED) {
        const auto state = in.getState();
        const std::span bytes(reinterpret_cast<const std::byte*>(state.begin()), state.size());
        if (std::exception_ptr registered = decode_registered(bytes, origin, nested)) {
            return registered;
        }
    }
    const std::string text =
        origin->what.empty() ? "exception of type " + origin->type : origin->what;
    return detail::nest(remote_error(text, std::move(origin)), nested);
}

std::exception_ptr read_message(std::span<const std::byte> bytes, int worker_pid) {
    // A copy, since the words of a message must be aligned.
    auto words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));
    std::memcpy(words.begin(), bytes.data(), words.size() * sizeof(capnp::word));
    capnp::ReaderOptions limits;
    limits.traversalLimitInWords = words.size() + 64;
    limits.nestingLimit = max_depth + 4;
    capnp::FlatArrayMessageReader message(words, limits);
    return read(message.getRoot<protocol::Thrown>(), 1, worker_pid);
}

} // namespace

std::exception_ptr decode_exception(std::span<const std::byte> bytes, int worker_pid) noexcept {
    try {
        if (bytes.empty()) {
            return unreadable("an exception that it could not describe", worker_pid);
        }
        try {
            if (bytes.size() <= max_encoded) {
                return read_message(bytes, worker_pid);
            }
        } catch (const std::bad_alloc&) {
            throw;
        } catch (...) {
            // Nothing is read from this exception: its text would walk symbol tables.
        }
        return unreadable("an exception whose description cannot be read", worker_pid);
    } catch (...) {
        return std::current_exception();
    }
}

} // namespace coproc::exceptions
