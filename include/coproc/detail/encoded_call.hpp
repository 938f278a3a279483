#pragma once

#include <coproc/call.hpp>
#include <coproc/detail/call.hpp>
#include <coproc/detail/config.hpp>
#include <coproc/detail/encoder.hpp>

#include <memory>
#include <string>

namespace coproc::detail {

/// What a coproc::call shares.
struct encoded_call {
    target what; ///< its `exported` is a view of the name below
    std::string exported;
    payload arguments;

    static const std::shared_ptr<const encoded_call>& of(const coproc::call& c) noexcept {
        return c.encoded_;
    }
};

COPROC_API std::shared_ptr<const encoded_call> make_call(const target&, encoder& arguments);

} // namespace coproc::detail
