#include <coproc/detail/encoded_call.hpp>

#include <algorithm>

namespace coproc {

call::call(const call&) noexcept = default;
call::call(call&&) noexcept = default;
call& call::operator=(const call&) noexcept = default;
call& call::operator=(call&&) noexcept = default;
call::~call() = default;

bool operator==(const call& a, const call& b) noexcept {
    if (a.encoded_ == b.encoded_ || a.encoded_ == nullptr || b.encoded_ == nullptr) {
        return a.encoded_ == b.encoded_;
    }
    const detail::encoded_call& x = *a.encoded_;
    const detail::encoded_call& y = *b.encoded_;
    return x.what.invoke == y.what.invoke && x.what.function == y.what.function &&
           x.exported == y.exported && x.what.signature == y.what.signature &&
           std::ranges::equal(x.arguments.bytes(), y.arguments.bytes());
}

std::shared_ptr<const detail::encoded_call> detail::make_call(const target& what,
                                                              encoder& arguments) {
    auto made = std::make_shared<encoded_call>();
    made->what = what;
    made->exported = what.exported;
    made->what.exported = made->exported;
    made->arguments = arguments.release();
    return made;
}

} // namespace coproc
