#include <coproc/remote_exception.hpp>

namespace coproc {

remote_exception::~remote_exception() = default;

remote_error::remote_error(const std::string& text,
                           std::shared_ptr<const detail::remote_origin> origin)
    : std::runtime_error(text), remote_exception(std::move(origin)) {}

remote_error::~remote_error() = default;

} // namespace coproc
