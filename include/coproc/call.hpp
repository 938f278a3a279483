#pragma once

#include <coproc/detail/config.hpp>

#include <memory>
#include <type_traits>

namespace coproc {

namespace detail {
struct encoded_call;
}

/**
 * @brief A function with its arguments, encoded: what each worker of an executor shall do before
 * its first task.
 *
 *     coproc::executor executor(loop, {.initializers = {coproc::call(load_model, "path")}});
 *
 * Copies share one immutable message. Include <coproc/submit.hpp> to make one; <coproc/coproc.hpp>
 * does.
 *
 * @par Thread safety        Distinct objects: safe. Shared objects: safe.
 */
class COPROC_API call {
public:
    /**
     * @param function  What executor::submit takes (coproc::submittable).
     * @param args      Its arguments, converted to its parameters' types and encoded here.
     * @throws encode_error, and what a codec throws
     */
    template <class F, class... Args>
    requires(!std::is_same_v<std::remove_cvref_t<F>, call>) explicit call(F&& function,
                                                                          Args&&... args);
    call(const call&) noexcept;
    call(call&&) noexcept;
    call& operator=(const call&) noexcept;
    call& operator=(call&&) noexcept;
    ~call();

    /// Whether the same function is called with the same bytes.
    friend COPROC_API bool operator==(const call& a, const call& b) noexcept;

private:
    friend struct detail::encoded_call;
    std::shared_ptr<const detail::encoded_call> encoded_;
};

} // namespace coproc
