#include "driver/worker_link.hpp"

#include "coproc/detail/encoded_call.hpp"
#include "driver/job_core.hpp"
#include "driver/name_function.hpp"
#include "driver/progress_core.hpp"
#include "process/modules.hpp"
#include "text/tail.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <new>
#include <utility>

#include <sys/socket.h>
#include <sys/uio.h>

namespace coproc::detail {

worker_link::worker_link(const asio::any_io_executor& io, launched_worker& made,
                         std::uint32_t slot_number, std::uint64_t max_message_bytes)
    : socket(io),
      death(io),
      oom_kills_before(made.oom_kills_before),
      page(made.page),
      ring(page->layout().ring, page->ring_memory()),
      reader(max_message_bytes),
      nonce(made.nonce),
      slot(slot_number),
      file(made.file) {
    if (made.child) {
        death.assign(made.child->pidfd());
    }
    try {
        if (made.output) {
            output.emplace(io, made.output, made.error);
        }
        socket.assign(asio::local::stream_protocol(), made.socket.get());
    } catch (...) {
        if (death.is_open()) {
            static_cast<void>(death.release());
        }
        throw;
    }
    static_cast<void>(made.socket.release());
    socket.native_non_blocking(true);
    child = std::move(made.child);
}

worker_link::~worker_link() {
    if (death.is_open()) {
        static_cast<void>(death.release());
    }
}

namespace {

void attach(msghdr& message, std::span<std::byte> control, int descriptor) noexcept {
    std::ranges::fill(control, std::byte{0});
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof descriptor);
    std::memcpy(CMSG_DATA(part), &descriptor, sizeof descriptor);
}

} // namespace

void worker_link::stage(job_core& job, std::uint64_t sequence) {
    page->slots().offer(sequence); // first: what is offered can be taken back if the rest fails
    introduce_modules(job.header);
    if (job.luggage != nullptr) {
        if (auto arrays = job.luggage->arrays()) {
            introduce(*arrays);
            lent.lend(sequence, std::move(arrays));
        }
    }
    if (job.chunk() != nullptr) {
        job.begin_run();
    }
    if (job.shared_arguments() != nullptr) {
        writer.append(job.header, job.arguments(), job.shared_arguments());
    } else {
        writer.append(job.header, job.arguments());
    }
    ++unwritten;
}

const char* worker_link::initialize(const call& what, std::uint64_t number) {
    const std::shared_ptr<const encoded_call>& encoded = encoded_call::of(what);
    wire::task_header header{.id = number};
    if (const char* const why = name_function(encoded->what, header)) {
        return why;
    }
    header.exported = encoded->exported;
    header.initializer = true;
    introduce_modules(header);
    writer.append(header, encoded->arguments.bytes(),
                  std::shared_ptr<const payload>(encoded, &encoded->arguments));
    ++initializers;
    return nullptr;
}

// An exported name lies where the worker finds it.
void worker_link::introduce_modules(const wire::task_header& header) {
    if (!header.exported.empty()) {
        return;
    }
    introduce(header.module);
    if (header.function != 0) {
        introduce(header.function_module);
    }
}

void worker_link::introduce(std::uint32_t module) {
    const bool its_own = module == 0 && same_build;
    if (its_own || (module < introduced_.size() && introduced_[module])) {
        return;
    }
    introduced_.resize(std::max<std::size_t>(introduced_.size(), module + 1));
    const process::module_identity& identity = process::module_table::instance().describe(module);
    writer.append(
        wire::module_header{.number = module, .path = identity.path, .build_id = identity.id});
    introduced_[module] = true;
}

void worker_link::introduce(const borrowed_arrays& arrays) {
    if (!child) {
        return; // a thread finds them by itself
    }
    for (const memory::arena_array_ptr& array : arrays) {
        const auto& extent = array->lies_in();
        if (extents_.add(extent)) {
            writer.append_with_descriptor(
                wire::extent_header{.number = extent->number,
                                    .bytes = extent->bytes().size(),
                                    .inode = memory::extent::inode_of(extent->descriptor())},
                extent->descriptor(), extent);
        }
    }
}

bool worker_link::forget_extents() noexcept {
    bool told = false;
    try {
        extents_.forget_closed([&](std::uint64_t number) {
            writer.append(wire::forget_extent{number});
            told = true;
        });
    } catch (const std::bad_alloc&) {
        // It is told of the others the next time.
    }
    return told;
}

worker_link::written worker_link::write() noexcept {
    unwritten = 0;
    while (!writer.empty() && !mute) {
        std::array<std::span<const std::byte>, 16> pieces;
        std::array<iovec, 16> vectors;
        const std::size_t count = writer.pending(pieces);
        for (std::size_t i = 0; i < count; ++i) {
            vectors[i] = {const_cast<std::byte*>(pieces[i].data()), pieces[i].size()};
        }
        msghdr message{};
        message.msg_iov = vectors.data();
        message.msg_iovlen = count;
        alignas(cmsghdr) std::byte control[CMSG_SPACE(sizeof(int))];
        if (const int descriptor = writer.descriptor(); descriptor >= 0) {
            attach(message, control, descriptor);
        }
        const ssize_t sent =
            ::sendmsg(socket.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0) {
            writer.consume(static_cast<std::size_t>(sent));
        } else if (errno == EAGAIN) {
            return written::no_room;
        } else if (errno == ETOOMANYREFS) {
            return written::too_many_descriptors;
        } else if (errno != EINTR) {
            // The worker is dead or has closed its end: reading will tell.
            mute = true;
        }
    }
    return written::all;
}

const std::shared_ptr<dead_worker>& worker_link::fate() {
    if (fate_ == nullptr) {
        fate_ = std::make_shared<dead_worker>(child ? child->pid() : 0, slot, page,
                                              output ? output->tails() : nullptr);
        fate_->signal = process::crash_signal(page->layout().crash);
    }
    return fate_;
}

void worker_link::learn_exit(const process::exit_status& status) {
    dead_worker& known = *fate();
    // A crash record says more than the status: a sanitizer turns its signal into an exit, and the
    // handler's own alarm may have ended it.
    if (!known.signal) {
        if (status.how == process::exit_status::kind::signalled) {
            known.signal = status.value;
        } else if (status.how == process::exit_status::kind::exited) {
            known.status = status.value;
        }
    }
    known.settle();
}

bool worker_link::newly_crashed() {
    if (crash_seen || !process::has_crashed(page->layout().crash)) {
        return false;
    }
    crash_seen = true;
    return true;
}

bool worker_link::killed_by_stranger() {
    return fate()->signal == SIGKILL && !shot && end_cause.empty();
}

void worker_link::take_output() noexcept {
    if (output) {
        output->take_rest();
    }
}

std::string worker_link::name(const char* kind) const {
    return std::string(kind) + ' ' + std::to_string(child ? child->pid() : 0) +
           (file.empty() ? std::string() : " (" + file + ")");
}

std::string worker_link::last_said() const {
    if (!last_words.empty()) {
        return ": " + last_words;
    }
    const std::string tail = output ? output->tails()->text(output::error) : std::string();
    return tail.empty() ? tail : "; it wrote " + text::quoted(text::last_lines(tail, 3, 300));
}

void worker_link::kill() noexcept {
    shot = true;
    if (child) {
        child->kill_group();
    } else {
        asio::error_code ignored;
        socket.shutdown(asio::local::stream_protocol::socket::shutdown_both, ignored);
    }
}

} // namespace coproc::detail
