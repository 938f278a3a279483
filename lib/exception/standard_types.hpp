#pragma once

#include <exception>
#include <memory>
#include <string>
#include <string_view>

#include <coproc/remote_exception.hpp>

#include "protocol.capnp.h"

// The exception types of the standard library, which arrive as what they were.
namespace coproc::exceptions {

/// What a standard exception holds beside its text.
struct standard_parts {
    protocol::Kind kind = protocol::Kind::OTHER;
    int code = 0;
    std::string category = {};
    std::string path1 = {};
    std::string path2 = {};
};

/// `type` is the exception's description::type. Only that exact type counts: what derives from a
/// standard type is Kind::OTHER.
[[nodiscard]] standard_parts take_apart(const std::exception& thrown, std::string_view type);

/// Null if there is no such exception: the kind is OTHER or unknown, or the code none of its type.
/// Nothing in `parts` is trusted.
[[nodiscard]] std::exception_ptr put_together(const standard_parts& parts,
                                              std::shared_ptr<const detail::remote_origin> origin,
                                              const std::exception_ptr& nested);

} // namespace coproc::exceptions
