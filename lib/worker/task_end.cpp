#include "worker/task_end.hpp"

#include "exception/describe.hpp"
#include "exception/exception_codec.hpp"

namespace coproc::worker {

task_end describe_end(detail::call_stage stage, std::size_t max_bytes) {
    if (stage == detail::call_stage::running) {
        task_end end{.outcome = wire::reply_outcome::threw,
                     .thrown = exceptions::encode_exception(std::current_exception())};
        if (end.thrown.size() > max_bytes) {
            end.thrown.clear(); // it costs its detail, not the worker
        }
        return end;
    }
    task_end end{.outcome = stage == detail::call_stage::decoding
                                ? wire::reply_outcome::decode_failed
                                : wire::reply_outcome::encode_failed};
    try {
        throw;
    } catch (const encode_error& error) {
        if (error.too_large()) {
            end.outcome = wire::reply_outcome::too_large;
        }
        end.text = error.what();
    } catch (const std::exception& error) {
        end.text = error.what();
    } catch (...) {
        end.text = "its codec threw something that is no std::exception";
    }
    return end;
}

std::string text_of_exception() {
    return "it threw " + exceptions::in_words(exceptions::describe(std::current_exception()));
}

} // namespace coproc::worker
