#include "exception_codec.hpp"

#include <algorithm>
#include <string>

#include <capnp/message.h>
#include <capnp/serialize.h>

#include "describe.hpp"
#include "registered_types.hpp"
#include "standard_types.hpp"

namespace coproc::exceptions {
namespace {

constexpr std::size_t max_path = 16 * 1024;

standard_parts parts_of(const std::exception_ptr& thrown, const std::string& type) {
    try {
        std::rethrow_exception(thrown);
    } catch (const std::exception& standard) {
        return take_apart(standard, type);
    } catch (...) {
        return {};
    }
}

void write_paths(const standard_parts& parts, protocol::Thrown::Builder out) {
    // Half a path would be a wrong one.
    if (parts.path1.size() > max_path || parts.path2.size() > max_path) {
        return;
    }
    auto paths = out.initPaths(2);
    paths.set(0, parts.path1.c_str());
    paths.set(1, parts.path2.c_str());
}

void write(const std::exception_ptr& thrown, int depth, protocol::Thrown::Builder out) {
    const description seen = describe(thrown);
    const standard_parts parts = parts_of(thrown, seen.type);
    out.setType(seen.type.c_str());
    out.setWhat(seen.what.c_str());
    out.setKind(parts.kind);
    out.setCode(parts.code);
    out.setCategory(parts.category.c_str());
    if (parts.kind == protocol::Kind::FILESYSTEM_ERROR) {
        write_paths(parts, out);
    }
    if (parts.kind == protocol::Kind::OTHER) {
        if (const auto state = encode_registered(thrown, seen.type)) {
            const auto bytes = state->bytes();
            out.setKind(protocol::Kind::REGISTERED);
            out.setState(
                kj::arrayPtr(reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()));
        }
    }
    if (seen.nested && depth < max_depth) {
        write(seen.nested, depth + 1, out.initNested());
    }
}

} // namespace

std::vector<std::byte> encode_exception(const std::exception_ptr& thrown) noexcept {
    if (!thrown) {
        return {};
    }
    try {
        capnp::MallocMessageBuilder message;
        write(thrown, 1, message.initRoot<protocol::Thrown>());
        const kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
        const auto bytes = std::as_bytes(std::span(words.begin(), words.size()));
        return {bytes.begin(), bytes.end()};
    } catch (...) {
        return {};
    }
}

} // namespace coproc::exceptions
